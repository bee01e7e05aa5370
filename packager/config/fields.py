"""Types of fields: a field of a configuration is annotated with one of these.

The decoder, the JSON schema and the reference page all read the same annotation.
"""

from fractions import Fraction
from typing import Annotated

from packager.config.quantities import format_duration, parse_duration, parse_frame_rate
from packager.config.scalars import Scalar, bit_rate, integer, size, text
from packager.config.secret import Secret
from packager.timeline.events import instant
from packager.track import TRACK_ID


def _show_duration(value: object) -> str:
    return format_duration(Fraction(str(value)))


_DURATION_JSON = {
    "type": "string",
    "pattern": r"^([0-9]{1,9}(\.[0-9]{1,9})?|[0-9]{1,12}/[0-9]{1,12})(ms|s|m|h|d)$",
}
_DURATION_REMEDY = "write 1.92s, 32/15s, 500ms, 2m or 12h"


def _duration(example: str) -> Scalar:
    return Scalar(
        "duration",
        "a duration",
        example,
        parse_duration,
        Fraction(1),
        _DURATION_JSON,
        "seconds",
        _DURATION_REMEDY,
        _show_duration,
    )


def _read_threshold(value: str) -> Fraction | None:
    return None if value == "never" else parse_duration(value)


def _show_threshold(value: object) -> str:
    return "never" if value is None else _show_duration(value)


def _no_text(_: str) -> object:
    raise ValueError


Text = Annotated[str, text(r"[\s\S]+", "text", "text")]
"""Any text but an empty one."""
FilePath = Annotated[str, text(r"[\s\S]+", "text", "./data", name="path")]
"""A path, relative to the folder of the file that names it."""
Host = Annotated[
    str, text(r"[0-9A-Za-z.:_-]{1,253}", "a host name or an address", "127.0.0.1", name="host")
]
Port = Annotated[int, integer(1, 65535, "a port from 1 to 65535", "8080")]
Pixels = Annotated[
    int,
    integer(16, 7680, "an even number of pixels from 16 to 7680", "720", unit="pixels", even=True),
]
"""A width or a height: even, since chroma is subsampled 4:2:0."""
Name = Annotated[
    str,
    text(TRACK_ID.pattern, "a name of at most 32 of a-z, 0-9, - and _", "720p", name="name"),
]
"""A track id; it stands in URLs and file names."""
Duration = Annotated[Fraction, _duration("90s")]
ShortDuration = Annotated[Fraction, _duration("500ms")]
Threshold = Annotated[
    Fraction | None,
    Scalar(
        "duration or `never`",
        "a duration or never",
        "5s",
        _read_threshold,
        None,
        {"anyOf": [_DURATION_JSON, {"const": "never"}]},
        "seconds",
        "write 1s, 500ms or never",
        _show_threshold,
    ),
]
"""How long a symptom may last; None for no limit."""
ByteSize = Annotated[int, size(1, 10**24, "a size", "20G")]
FrameRate = Annotated[
    Fraction,
    Scalar(
        "frame rate",
        "a frame rate",
        "25",
        parse_frame_rate,
        Fraction(25),
        {"type": ["number", "string"], "pattern": r"^[0-9]{1,12}([./][0-9]{1,12})?$"},
        "frames/s",
        "write 25, 12.5, 29.97 or a ratio: 30000/1001",
    ),
]
Bitrate = Annotated[int, bit_rate(8_000, 1_000_000_000, "a bit rate from 8k to 1G", "3.5M")]
Instant = Annotated[
    int,
    Scalar(
        "time",
        "a time such as 2026-01-01T00:00:00Z",
        "2026-01-01T00:00:00Z",
        instant,
        0,
        {"type": "string", "pattern": r"^\d{4}-"},
        "UTC",
        remedy="write a time from 1970 to 2286 that ends with Z or an offset such as +01:00",
    ),
]
SecretText = Annotated[
    Secret,
    Scalar(
        "secret",
        "a secret",
        "$NAME",
        _no_text,
        Secret(b""),
        {"type": "string", "pattern": r"^(\$[A-Z_][A-Z0-9_]{0,63}|[!-#%-~][!-~]{15,255})$"},
        remedy="use a long random text, or $NAME for the value of an environment variable",
        secret=True,
        explains=True,
    ),
]
