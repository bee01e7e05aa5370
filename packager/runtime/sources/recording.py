"""Recorded files, played as if they were live."""

import asyncio
from pathlib import Path

from packager.ffmpeg.command import FileFeed
from packager.ffmpeg.concat import common, concat_list
from packager.runtime.ffmpeg_program import probe
from packager.runtime.sources import Opened
from packager.source import FileSource

_LIST = "source.ffconcat"


async def open_recording(
    source: FileSource, folder: Path, program: str, *, encoded: bool
) -> Opened:
    """The files of `source`; a list of several is written into `folder`.

    Raises:
        FeedError: a file is no media or has no video, or it cannot be joined to the others.
    """
    infos = [await probe(program, Path(file).name, "-i", file) for file in source.files]
    endless = source.loop
    if len(source.files) == 1:
        return Opened(FileFeed(source.files[0], listed=False, loop=endless), infos[0], endless)
    info = common(source.files, infos, encoded=encoded)
    path = folder / _LIST
    await asyncio.to_thread(path.write_text, concat_list(source.files))
    return Opened(FileFeed(str(path), listed=True, loop=endless), info, endless)
