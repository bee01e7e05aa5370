"""Selects the streams of a feed, by the configuration of its source."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from packager.errors import FeedError
from packager.ffmpeg.probe import SILENCE, AudioStream, SourceInfo, VideoStream
from packager.track import UNDETERMINED, Track

_S = TypeVar("_S", VideoStream, AudioStream)


@dataclass(frozen=True, slots=True)
class StreamSelection:
    """The configured streams: `#n` is an index among its kind, `0x...` a PID, else a language."""

    program: int | None = None
    video: str | None = None
    audio: tuple[str, ...] = ()


def pid_of(name: str | None) -> int | None:
    """The PID that selects a stream; None if another property does, or nothing."""
    return int(name, 16) if name is not None and name.startswith("0x") else None


def selected(info: SourceInfo, wanted: StreamSelection) -> SourceInfo:
    """The selected video and audio streams of `info`.

    Of several programs, the configured one is used, or else that of the selected video PID, or
    else the first.

    Raises:
        FeedError: the program or a stream does not exist.
    """
    program = wanted.program
    if program is None:
        pid = pid_of(wanted.video)
        by_pid = [video for video in info.video if pid is not None and video.pid == pid]
        program = (by_pid or info.video)[0].program
    elif all(video.program != program for video in info.video):
        there = sorted({str(video.program) for video in info.video if video.program is not None})
        raise FeedError(f"no program {program} in the feed: it has {', '.join(there) or 'none'}")
    videos = [video for video in info.video if video.program == program]
    streams = [audio for audio in info.audio if audio.program == program]
    if wanted.video is not None:
        video = _one(videos, wanted.video)
        if video is None:
            raise FeedError(f"no video stream {wanted.video} in the feed")
        videos = [video]
    if wanted.audio:
        found = [_one(streams, name) for name in wanted.audio]
        missing = [name for name, one in zip(wanted.audio, found, strict=True) if one is None]
        if len(missing) == len(found):
            raise FeedError(f"no audio stream {', '.join(missing)} in the feed")
        streams = [one for one in found if one is not None]
    return replace(info, video=tuple(videos), audio=tuple(streams))


def with_silence(info: SourceInfo, tracks: Sequence[Track], least: int) -> SourceInfo:
    """`info` with its audio in the order of `tracks`, and silence for each missing track.

    `tracks` are the audio tracks of the previous feed. A stream continues the track of its
    language, or else of its position. The result has at least `least` streams, since a player
    stops if the audio track that it plays disappears.
    """
    left = list(info.audio)
    streams: list[AudioStream | None] = []
    for track in tracks:
        found = next((audio for audio in left if audio.language == track.language), None)
        streams.append(found)
        if found is not None:
            left.remove(found)
    streams = [left.pop(0) if one is None and left else one for one in streams]
    streams += [*left, *[None] * (least - len(streams) - len(left))]
    languages = [track.language for track in tracks]
    named = tuple(
        one
        or AudioStream("anullsrc", languages[at] if at < len(languages) else UNDETERMINED, SILENCE)
        for at, one in enumerate(streams)
    )
    return replace(info, audio=named)


def _one(streams: Sequence[_S], name: str) -> _S | None:
    if name.startswith("#"):
        return streams[int(name[1:])] if int(name[1:]) < len(streams) else None
    if (pid := pid_of(name)) is not None:
        return next((stream for stream in streams if stream.pid == pid), None)
    return next((one for one in streams if getattr(one, "language", None) == name), None)
