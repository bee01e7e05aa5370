"""Lists of files for ffmpeg's concat demuxer, which plays them one after the other.

The demuxer matches streams by index and takes codecs and time bases from the first file. A file
with other ones would play at a wrong speed, or not at all.
"""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from posixpath import basename

from packager.errors import FeedError
from packager.ffmpeg.probe import AudioStream, SourceInfo, VideoStream


def concat_list(files: Sequence[str]) -> str:
    """The list of `files`, in the demuxer's format."""
    quoted = (file.replace("'", "'\\''") for file in files)
    return "ffconcat version 1.0\n" + "".join(f"file '{file}'\n" for file in quoted)


def common(files: Sequence[str], infos: Sequence[SourceInfo], *, encoded: bool) -> SourceInfo:
    """The streams that every file has.

    Args:
        files: their paths.
        infos: the streams of each file.
        encoded: the feed is encoded, so frame size and frame rate may differ.

    Raises:
        FeedError: a file differs from the first in a way that prevents joining.
    """
    for file, info in zip(files, infos, strict=True):
        _check_alike(infos[0], basename(file), info, encoded=encoded)
    video = min((info.video for info in infos), key=len)
    audio = min((info.audio for info in infos), key=len)
    known = [info.duration for info in infos if info.duration is not None]
    return SourceInfo(video, audio, sum(known, Fraction(0)) if len(known) == len(infos) else None)


def _check_alike(first: SourceInfo, name: str, other: SourceInfo, *, encoded: bool) -> None:
    if bool(other.audio) != bool(first.audio):
        raise FeedError(f"{name}: either all files of a list have audio, or none")
    pairs = zip(_streams(first, encoded=encoded), _streams(other, encoded=encoded), strict=False)
    for wanted, found in pairs:
        if found != wanted:
            raise FeedError(
                f"{name}: the files of a list must have equal streams: here {found}, "
                f"in the first file {wanted}"
            )


def _streams(info: SourceInfo, *, encoded: bool) -> Iterator[str]:
    """The properties of each used stream that must be equal."""
    streams: list[VideoStream | AudioStream] = [*info.video, *info.audio]
    if encoded:
        streams = [*info.video[:1], *info.audio]
    for stream in streams:
        text = f"stream {stream.index} is {stream.codec}"
        match stream:
            case VideoStream():
                text += f" in ticks of 1/{stream.time_base} s"
                if not encoded:
                    text += f", {stream.width}x{stream.height}, {stream.frame_rate} fps"
            case AudioStream():
                text += f" of {stream.sample_rate} Hz"
                if not encoded:
                    text += f", {stream.layout}"
        yield text
