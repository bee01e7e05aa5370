"""Reads quantities as exact numbers, and writes them.

    duration      1.92s, 32/15s, 500ms, 2m, 12h, 1d      Fraction, seconds
    size          500M, 20G, 1.5T                        int, bytes
    bit rate      800k, 3.5M, 128000                     int, bit/s
    frame rate    25, 30000/1001, 29.97                  Fraction, frames a second

Any other text is a ValueError of one line that shows how to write the quantity.
"""

import re
from fractions import Fraction

_NUMBER = r"[0-9]{1,9}(?:\.[0-9]{1,9})?|[0-9]{1,12}/[0-9]{1,12}"
_DURATION = re.compile(rf"({_NUMBER})(ms|s|m|h|d)")
_BIT_RATE = re.compile(r"([0-9]{1,10}(?:\.[0-9]{1,9})?)([kMG]?)")
_SIZE = re.compile(r"([0-9]{1,10}(?:\.[0-9]{1,9})?)([MGT])")
_FRAME_RATE = re.compile(_NUMBER)

_SECONDS = {
    "ms": Fraction(1, 1000),
    "s": Fraction(1),
    "m": Fraction(60),
    "h": Fraction(3600),
    "d": Fraction(86400),
}
_BYTES = {"M": 10**6, "G": 10**9, "T": 10**12}
_BITS = {"": 1, "k": 1_000, "M": 1_000_000, "G": 1_000_000_000}

# 29.97 is short for 30000/1001, not for 2997/100.
_NTSC = {
    Fraction("23.976"): Fraction(24000, 1001),
    Fraction("23.98"): Fraction(24000, 1001),
    Fraction("29.97"): Fraction(30000, 1001),
    Fraction("47.952"): Fraction(48000, 1001),
    Fraction("59.94"): Fraction(60000, 1001),
    Fraction("119.88"): Fraction(120000, 1001),
}

_SHOWN = 40


def quoted(text: str) -> str:
    """`text` in quotes on one line, cut where it is long."""
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}...")


def parse_duration(text: str) -> Fraction:
    """The seconds that `text` names, such as `1.92s`, `32/15s`, `500ms`, `2m`, `12h` or `1d`.

    Raises:
        ValueError: not a duration, or 0.
    """
    match = _DURATION.fullmatch(text)
    value = _number(match[1]) if match else None
    if match is None or not value:
        raise ValueError(f"not a duration: {quoted(text)} (write 1.92s, 32/15s, 500ms, 2m or 12h)")
    return value * _SECONDS[match[2]]


def parse_size(text: str) -> int:
    """The bytes that `text` names, such as `500M`, `20G` or `1.5T`.

    Raises:
        ValueError: not a size, or 0.
    """
    match = _SIZE.fullmatch(text)
    value = int(Fraction(match[1]) * _BYTES[match[2]]) if match else 0
    if value <= 0:
        raise ValueError(f"not a size: {quoted(text)} (write 500M, 20G or 1.5T)")
    return value


def parse_bit_rate(text: str) -> int:
    """The bit/s that `text` names, such as `800k`, `3.5M` or `128000`.

    Raises:
        ValueError: not a bit rate, not a whole number of bits, or 0.
    """
    match = _BIT_RATE.fullmatch(text)
    value = Fraction(match[1]) * _BITS[match[2]] if match else Fraction(0)
    if value <= 0 or value.denominator != 1:
        raise ValueError(f"not a bit rate: {quoted(text)} (write 800k, 3.5M or 128000)")
    return value.numerator


def parse_frame_rate(text: str) -> Fraction:
    """The frames a second that `text` names, such as `25`, `30000/1001` or `29.97`.

    Decimals are halves or NTSC rates: any other is a mistake that puts keyframes off the grid.

    Raises:
        ValueError: not a frame rate.
    """
    value = _number(text) if _FRAME_RATE.fullmatch(text) else None
    if value:
        value = _NTSC.get(value, value)
    if not value or ("." in text and value not in _NTSC.values() and (2 * value).denominator != 1):
        raise ValueError(
            f"not a frame rate: {quoted(text)} (write 25, 12.5, 29.97 or a ratio: 30000/1001)"
        )
    return value


def format_duration(value: Fraction) -> str:
    """`value` seconds as `parse_duration` reads them: decimal where that is exact, else a ratio."""
    micros = value * 1_000_000
    if micros.denominator != 1:
        return f"{value}s"
    whole, part = divmod(micros.numerator, 1_000_000)
    return f"{whole}.{part:06d}".rstrip("0").rstrip(".") + "s"


def format_bytes(value: int) -> str:
    """`value` bytes as `parse_size` reads them where that is exact, else as a plain number."""
    for suffix, scale in reversed(_BYTES.items()):
        if value and value % scale == 0:
            return f"{value // scale}{suffix}"
    return str(value)


def _number(text: str) -> Fraction | None:
    """The exact value of a decimal or a ratio; None for a ratio to 0."""
    try:
        return Fraction(text)
    except ZeroDivisionError:
        return None
