"""The streams of an input, read from the banner of `ffmpeg -i INPUT`.

The wheel with ffmpeg has no ffprobe. The banner has had the same format for fifteen years.
"""

import re
from dataclasses import dataclass
from fractions import Fraction

from packager.config.quantities import parse_frame_rate
from packager.errors import FeedError
from packager.track import UNDETERMINED

_STREAM = re.compile(
    r"^ {2,}(?:Program (?P<program>\d+) ?$|No Program$|Stream #\d+:(?P<index>\d+)"
    r"(?:\[0x(?P<pid>[0-9a-f]+)\])?(?:\((?P<language>[^)]*)\))?: "
    r"(?P<kind>Video|Audio): (?P<codec>[a-z0-9_]+)(?P<rest>.*)$)",
    re.MULTILINE,
)
_LANGUAGE = re.compile(r"[a-z]{3}")
_SIZE = re.compile(r", (\d{1,5})x(\d{1,5})")
_RATE = re.compile(r", ([0-9.]+)(k?) (?:fps|tbr)\b")
_TIME_BASE = re.compile(r", (\d+)(k?) tbn\b")
_INTERLACED = re.compile(r"\([^()]*\b(?:top|bottom) (?:coded )?first\b[^()]*")
"""A field order among the properties of the pixel format."""
_AUDIO_FORMAT = re.compile(r", (\d+) Hz, ([^,]+)")
_DURATION = re.compile(r"^ {2,}Duration: (\d{1,5}):(\d\d):(\d\d\.\d\d)", re.MULTILINE)
_VERSION = re.compile(r"^ffmpeg version n?(\d+)\.(\d+)")

OLDEST = (5, 1)
"""The first version of ffmpeg with all options that Ringside uses."""


@dataclass(frozen=True, slots=True)
class VideoStream:
    """A video stream of an input."""

    codec: str
    """ffmpeg's name."""
    width: int
    height: int
    frame_rate: Fraction | None
    """Frames a second; None if the input does not state it."""
    index: int = 0
    """Index among all streams of the input."""
    time_base: int = 0
    """Ticks a second of the timestamps."""
    pid: int | None = None
    """Of a transport stream."""
    program: int | None = None
    """Of a transport stream: the first program that contains it."""
    interlaced: bool = False
    """Its frames consist of two fields, taken one after the other."""


@dataclass(frozen=True, slots=True)
class AudioStream:
    """An audio stream of an input."""

    codec: str
    language: str
    index: int = 1
    """Index among all streams of the input."""
    sample_rate: int = 0
    layout: str = ""
    """The channel layout, by ffmpeg's name."""
    pid: int | None = None
    """Of a transport stream."""
    program: int | None = None
    """Of a transport stream: the first program that contains it."""


SILENCE = -1
"""The index of an audio stream that the input lacks: silence replaces it."""


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """The streams of an input, in ffmpeg's order."""

    video: tuple[VideoStream, ...]
    audio: tuple[AudioStream, ...]
    duration: Fraction | None = None
    """Seconds; None if the input does not state it."""

    @property
    def is_interlaced(self) -> bool:
        """Whether the first video stream says that it is interlaced."""
        return bool(self.video) and self.video[0].interlaced


def read_banner(text: str, name: str) -> SourceInfo:
    """The streams that ffmpeg's output `text` lists for the input called `name`.

    Raises:
        FeedError: the input has no media, or no video.
    """
    video: list[VideoStream] = []
    audio: list[AudioStream] = []
    program: int | None = None
    seen: set[str] = set()
    for match in _STREAM.finditer(text):
        if match["index"] is None:
            program = int(match["program"]) if match["program"] else None
            continue
        if match["index"] in seen:
            continue  # in several programs
        seen.add(match["index"])
        if match["kind"] == "Audio":
            audio.append(_audio(match, program))
        elif (size := _SIZE.search(match["rest"])) is not None and "attached pic" not in match[0]:
            video.append(_video(match, int(size[1]), int(size[2]), program))
    if not video and not audio:
        raise FeedError(f"{name}: {_complaint(text)}")
    if not video:
        raise FeedError(f"{name}: the feed has no video")
    return SourceInfo(tuple(video), tuple(audio), _duration(text))


def _pid(match: re.Match[str]) -> int | None:
    return int(match["pid"], 16) if match["pid"] else None


def _video(match: re.Match[str], width: int, height: int, program: int | None) -> VideoStream:
    ticks = _TIME_BASE.search(match["rest"])
    return VideoStream(
        codec=match["codec"],
        width=width,
        height=height,
        frame_rate=_frame_rate(match["rest"]),
        index=int(match["index"]),
        interlaced=_INTERLACED.search(match["rest"]) is not None,
        time_base=int(ticks[1]) * (1000 if ticks[2] else 1) if ticks else 0,
        pid=_pid(match),
        program=program,
    )


def _audio(match: re.Match[str], program: int | None) -> AudioStream:
    audio = _AUDIO_FORMAT.search(match["rest"])
    return AudioStream(
        codec=match["codec"],
        language=_language(match["language"] or ""),
        index=int(match["index"]),
        sample_rate=int(audio[1]) if audio else 0,
        layout=audio[2] if audio else "",
        pid=_pid(match),
        program=program,
    )


def _language(text: str) -> str:
    """The first ISO 639-2 code in `text`; undetermined without one."""
    first = text.lower().partition(",")[0].strip()
    return first if _LANGUAGE.fullmatch(first) else UNDETERMINED


def _duration(text: str) -> Fraction | None:
    match = _DURATION.search(text)
    if match is None:
        return None
    hours, minutes, rest = match.groups()
    return int(hours) * 3600 + int(minutes) * 60 + Fraction(rest)


def _frame_rate(rest: str) -> Fraction | None:
    match = _RATE.search(rest)
    if match is None or match[2]:
        return None
    try:
        return parse_frame_rate(match[1])
    except ValueError:
        return None


def _complaint(text: str) -> str:
    """The last error message of ffmpeg, without its prefix."""
    lines = [line for line in text.splitlines() if "rror" in line or "Invalid" in line]
    if not lines:
        return "no media in it"
    return "no media: " + re.sub(r"^\[[^\]]*\] *", "", lines[-1])[:200]


def read_version(text: str) -> tuple[int, int] | None:
    """Major and minor version in the output of `ffmpeg -version`; None for a build from git."""
    match = _VERSION.match(text)
    return (int(match[1]), int(match[2])) if match else None
