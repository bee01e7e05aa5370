"""What ffmpeg says while it runs: `-progress` blocks and log lines."""

import re
from dataclasses import dataclass, field
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Progress:
    """One block of `-progress`."""

    frames: int
    speed: float | None
    """Seconds of media a second; None before ffmpeg knows."""
    dropped: int
    duplicated: int


@dataclass(slots=True)
class ProgressReader:
    """Lines in, a `Progress` at the end of each block."""

    _values: dict[str, str] = field(default_factory=dict[str, str])

    def line(self, text: str) -> Progress | None:
        """Take a `key=value` line; the progress if it closes a block."""
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


class Trouble(StrEnum):
    """What a log line of ffmpeg means for the channel."""

    NO_MEDIA = "no media"
    NO_INPUT = "input cannot be opened"
    NO_KEYFRAME = "undecodable until the next keyframe"
    PARAMETERS = "parameters changed"
    CORRUPT = "corrupt input"
    TIMESTAMPS = "timestamps out of order"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Message:
    """A log line of ffmpeg."""

    level: str
    """ffmpeg's own: info, warning, error, fatal, …"""
    text: str
    trouble: Trouble | None
    """None for what needs nobody's attention."""


_LEVEL = re.compile(
    r"\[(?P<level>quiet|panic|fatal|error|warning|info|verbose|debug|trace)\](?: |$)"
)
_COMPONENT = re.compile(r"^(?:\[[^\]]*? @ 0x[0-9a-f]+\] ?)+")
_MAX_TEXT = 400

_TABLE: tuple[tuple[re.Pattern[str], Trouble], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), trouble)
    for pattern, trouble in (
        (r"Reconfiguring filter graph because", Trouble.PARAMETERS),
        (r"non-existing [SP]PS|no frame!|missing picture|mmco: unref short", Trouble.NO_KEYFRAME),
        (r"decode_slice_header error|co located POCs|keyframe not found", Trouble.NO_KEYFRAME),
        (r"PES packet size mismatch|Packet corrupt|corrupt (?:input|decoded)", Trouble.CORRUPT),
        (r"error while decoding|concealing|error submitting packet to decoder", Trouble.CORRUPT),
        (r"changing video frame properties|max resync size|invalid NAL", Trouble.CORRUPT),
        (r"Non.monoton|timestamp discontinuity|Invalid DTS|out of order", Trouble.TIMESTAMPS),
        (r"No such file|Permission denied|Connection refused|timed out", Trouble.NO_INPUT),
        (r"Invalid data found|moov atom not found|could not find codec", Trouble.NO_MEDIA),
    )
)


def read_message(line: str) -> Message | None:
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
        trouble = Trouble.OTHER
    return Message(level, text, trouble)
