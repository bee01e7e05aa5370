"""The output of a running ffmpeg: `-progress` blocks and log lines."""

import re
from dataclasses import dataclass, field
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Progress:
    """One block of `-progress`."""

    frames: int
    speed: float | None
    """Seconds of media a second; None before ffmpeg has measured it."""
    dropped: int
    duplicated: int


@dataclass(slots=True)
class ProgressReader:
    """Reads lines, and returns a `Progress` at the end of each block."""

    _values: dict[str, str] = field(default_factory=dict[str, str])

    def line(self, text: str) -> Progress | None:
        """Read a `key=value` line. Returns: the progress if the line ends a block."""
        key, _, value = text.strip().partition("=")
        if key != "progress":
            if len(self._values) < 200:  # noqa: PLR2004 - a block has some twenty keys
                self._values[key] = value
            return None
        values, self._values = self._values, {}
        return Progress(
            frames=_whole(values.get("frame")),
            speed=_ratio(values.get("speed")),
            dropped=_whole(values.get("drop_frames")),
            duplicated=_whole(values.get("dup_frames")),
        )


def _whole(text: str | None) -> int:
    text = (text or "").strip()
    return int(text) if text.isdecimal() else 0


def _ratio(text: str | None) -> float | None:
    match = re.fullmatch(r"\s*([0-9.]{1,12})x", text or "")
    try:
        return float(match[1]) if match else None
    except ValueError:
        return None


class FfmpegWarning(StrEnum):
    """The meaning of a log line of ffmpeg for the channel."""

    NO_MEDIA = "no media"
    NO_INPUT = "input cannot be opened"
    NO_KEYFRAME = "undecodable until the next keyframe"
    PARAMETERS = "parameters changed"
    CORRUPT = "corrupt input"
    TIMESTAMPS = "timestamps out of order"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class FfmpegMessage:
    """A log line of ffmpeg."""

    level: str
    """ffmpeg's log level: info, warning, error, fatal, …"""
    text: str
    trouble: FfmpegWarning | None
    """None if the line needs no attention."""


_LEVEL = re.compile(
    r"\[(?P<level>quiet|panic|fatal|error|warning|info|verbose|debug|trace)\](?: |$)"
)
_COMPONENT = re.compile(r"^(?:\[[^\]]*? @ 0x[0-9a-f]+\] ?)+")
_MAX_TEXT = 400

_TABLE: tuple[tuple[re.Pattern[str], FfmpegWarning], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), trouble)
    for pattern, trouble in (
        (r"Reconfiguring filter graph because", FfmpegWarning.PARAMETERS),
        (
            r"non-existing [SP]PS|no frame!|missing picture|mmco: unref short",
            FfmpegWarning.NO_KEYFRAME,
        ),
        (
            r"decode_slice_header error|co located POCs|keyframe not found",
            FfmpegWarning.NO_KEYFRAME,
        ),
        (
            r"PES packet size mismatch|Packet corrupt|corrupt (?:input|decoded)",
            FfmpegWarning.CORRUPT,
        ),
        (
            r"error while decoding|concealing|error submitting packet to decoder",
            FfmpegWarning.CORRUPT,
        ),
        (r"changing video frame properties|max resync size|invalid NAL", FfmpegWarning.CORRUPT),
        (r"Non.monoton|timestamp discontinuity|Invalid DTS|out of order", FfmpegWarning.TIMESTAMPS),
        (r"No such file|Permission denied|Connection refused|timed out", FfmpegWarning.NO_INPUT),
        (r"Invalid data found|moov atom not found|could not find codec", FfmpegWarning.NO_MEDIA),
    )
)


def read_message(line: str) -> FfmpegMessage | None:
    """The message in a line of ffmpeg's log (`-loglevel level+info`); None for an empty one."""
    line = line.rstrip()
    match = _LEVEL.search(line)
    level = match["level"] if match else "info"
    text = line[: match.start()] + line[match.end() :] if match else line
    text = _COMPONENT.sub("", text).strip()[:_MAX_TEXT]
    if not text:
        return None
    trouble = next((kind for pattern, kind in _TABLE if pattern.search(text)), None)
    if trouble is None and level in ("error", "fatal", "panic"):
        trouble = FfmpegWarning.OTHER
    return FfmpegMessage(level, text, trouble)
