"""Recorded files, played in real time as a live feed."""

import asyncio
from pathlib import Path

from packager.config.sources import FileSource
from packager.ffmpeg.concat import common, concat_list
from packager.ffmpeg.inputs import FileFeed
from packager.runtime.ffmpeg.program import probe
from packager.runtime.inputs.opened import OpenedInput

_LIST = "source.ffconcat"


async def open_recording(
    source: FileSource, folder: Path, program: str, *, encoded: bool
) -> OpenedInput:
    """Open the files of `source`; a list of several files is written into `folder`.

    Raises:
        FeedError: a file has no video, or cannot be joined to the others.
    """
    infos = [await probe(program, Path(file).name, "-i", file) for file in source.files]
    endless = source.loop
    if len(source.files) == 1:
        return OpenedInput(FileFeed(source.files[0], listed=False, loop=endless), infos[0], endless)
    info = common(source.files, infos, encoded=encoded)
    path = folder / _LIST
    await asyncio.to_thread(path.write_text, concat_list(source.files))
    return OpenedInput(FileFeed(str(path), listed=True, loop=endless), info, endless)
