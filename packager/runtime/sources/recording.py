"""Recorded files, played as if they were live."""

import asyncio
from fractions import Fraction
from pathlib import Path

from packager.config import FileSource
from packager.errors import FeedError
from packager.ffmpeg.command import FileFeed
from packager.ffmpeg.probe import SourceInfo
from packager.runtime.ffmpeg_program import probe
from packager.runtime.sources import Opened

_LIST = "source.ffconcat"


async def open_recording(source: FileSource, folder: Path, program: str) -> Opened:
    """The files of `source`; a list of several is written into `folder`.

    Raises:
        FeedError: a file is no media or has no video, or one differs from the others in what it
            has.
    """
    infos = [await probe(program, Path(file).name, "-i", file) for file in source.files]
    info = infos[0]
    for file, other in zip(source.files, infos, strict=True):
        if bool(other.audio) != bool(info.audio):
            msg = f"{Path(file).name}: of the files of a list, all or none have sound"
            raise FeedError(msg)
    if len(source.files) == 1:
        return Opened(
            FileFeed(source.files[0], listed=False, loop=source.loop), info, endless=source.loop
        )
    path = folder / _LIST
    await asyncio.to_thread(path.write_text, _concat_list(source.files))
    return Opened(
        FileFeed(str(path), listed=True, loop=source.loop), _common(infos), endless=source.loop
    )


def _concat_list(files: tuple[str, ...]) -> str:
    quoted = (file.replace("'", "'\\''") for file in files)
    return "ffconcat version 1.0\n" + "".join(f"file '{file}'\n" for file in quoted)


def _common(infos: list[SourceInfo]) -> SourceInfo:
    """The streams that every file of a list has."""
    video = min((info.video for info in infos), key=len)
    audio = min((info.audio for info in infos), key=len)
    known = [info.duration for info in infos if info.duration is not None]
    return SourceInfo(video, audio, sum(known, Fraction(0)) if len(known) == len(infos) else None)
