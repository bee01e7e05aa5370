"""Which streams of a feed are wanted, as its source is configured."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from packager.errors import FeedError
from packager.ffmpeg.probe import SILENCE, AudioStream, SourceInfo, VideoStream
from packager.track import UNDETERMINED, Track

_S = TypeVar("_S", VideoStream, AudioStream)


@dataclass(frozen=True, slots=True)
class Selection:
    """What is wanted: `#n` is an index among those of its kind, `0x...` a PID, else a language."""

    program: int | None = None
    video: str | None = None
    audio: tuple[str, ...] = ()


def selected(info: SourceInfo, wanted: Selection) -> SourceInfo:
    """The one picture and the sounds of `info` that are wanted.

    A feed with several programmes has one here: the first, or that which is named.

    Raises:
        FeedError: there is none such.
    """
    program = wanted.program
    if program is None:
        program = info.video[0].program
    elif all(video.program != program for video in info.video):
        there = sorted({str(video.program) for video in info.video if video.program is not None})
        raise FeedError(
            f"no programme {program} in the feed: there is {', '.join(there) or 'none'}"
        )
    pictures = [video for video in info.video if video.program == program]
    sounds = [audio for audio in info.audio if audio.program == program]
    if wanted.video is not None:
        picture = _one(pictures, wanted.video)
        if picture is None:
            raise FeedError(f"no picture {wanted.video} in the feed")
        pictures = [picture]
    if wanted.audio:
        found = [_one(sounds, name) for name in wanted.audio]
        missing = [name for name, sound in zip(wanted.audio, found, strict=True) if sound is None]
        if len(missing) == len(found):
            raise FeedError(f"no sound {', '.join(missing)} in the feed")
        sounds = [sound for sound in found if sound is not None]
    return replace(info, video=tuple(pictures), audio=tuple(sounds))


def with_silence(info: SourceInfo, tracks: Sequence[Track], least: int) -> SourceInfo:
    """`info` with its sounds in the order of `tracks`, and silence for each that it lacks.

    `tracks` are those that there were before: a sound is the same track again by its language, or
    else by its place. There are `least` of them at least: players do not go on without a sound
    that they play.
    """
    left = list(info.audio)
    sounds: list[AudioStream | None] = []
    for track in tracks:
        found = next((audio for audio in left if audio.language == track.language), None)
        sounds.append(found)
        if found is not None:
            left.remove(found)
    sounds = [left.pop(0) if sound is None and left else sound for sound in sounds]
    sounds += [*left, *[None] * (least - len(sounds) - len(left))]
    languages = [track.language for track in tracks]
    named = tuple(
        sound
        or AudioStream("anullsrc", languages[at] if at < len(languages) else UNDETERMINED, SILENCE)
        for at, sound in enumerate(sounds)
    )
    return replace(info, audio=named)


def _one(streams: Sequence[_S], name: str) -> _S | None:
    if name.startswith("#"):
        return streams[int(name[1:])] if int(name[1:]) < len(streams) else None
    if name.startswith("0x"):
        return next((stream for stream in streams if stream.pid == int(name, 16)), None)
    return next((one for one in streams if getattr(one, "language", None) == name), None)
