"""Byte ranges (RFC 9110 section 14): one range, or the whole body."""

import re

_ONE = re.compile(r"bytes=\s*(?:([0-9]{1,18})-([0-9]{0,18})|-([0-9]{1,18}))\s*", re.IGNORECASE)


class Unsatisfiable(Exception):  # noqa: N818 - the standard's word
    """The range lies outside the body: 416."""


def parse_range(header: str | None, size: int) -> tuple[int, int] | None:
    """Offset and length that `header` asks for of a body of `size` bytes; None for the whole.

    A header with several ranges or another unit is ignored, as section 14.2 allows.

    Raises:
        Unsatisfiable: no byte of the body lies in the range.
    """
    match = _ONE.fullmatch(header or "")
    if match is None:
        return None
    first, last, suffix = match.groups()
    if suffix is not None:
        length = min(int(suffix), size)
        if not length:
            raise Unsatisfiable
        return size - length, length
    start = int(first)
    if last and int(last) < start:
        return None
    if start >= size:
        raise Unsatisfiable
    end = min(int(last), size - 1) if last else size - 1
    return start, end - start + 1
