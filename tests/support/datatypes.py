"""The datatypes of W3C XML Schema that the DASH schema uses, with their facets."""

import re
from collections.abc import Callable
from datetime import datetime

Facets = tuple[tuple[str, str], ...]
"""Names and values, such as a pattern."""

_DURATION = re.compile(r"-?P(?=.)(\d+Y)?(\d+M)?(\d+D)?(T(?=.)(\d+H)?(\d+M)?(\d+(\.\d+)?S)?)?")
_INSTANT = re.compile(r"-?\d{4,}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)?")


def _whole(least: int | None = None, most: int | None = None) -> Callable[[str], bool]:
    def is_one(text: str) -> bool:
        if not re.fullmatch(r"[+-]?\d+", text, re.ASCII):
            return False
        return (least is None or int(text) >= least) and (most is None or int(text) <= most)

    return is_one


def _like(pattern: str) -> Callable[[str], bool]:
    compiled = re.compile(pattern, re.ASCII)
    return lambda text: compiled.fullmatch(text) is not None


def _instant(text: str) -> bool:
    if not _INSTANT.fullmatch(text):
        return False
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


TYPES: dict[str, Callable[[str], bool]] = {
    "string": lambda _: True,
    # A colon before the first slash ends a scheme.
    "anyURI": _like(r"([a-zA-Z][a-zA-Z0-9+.-]*:|(?![^/?#]*:))[^\s<>\"{}|\\^`]*"),
    "boolean": _like("true|false|0|1"),
    "dateTime": _instant,
    "double": _like(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?|-?INF|NaN"),
    "duration": lambda text: _DURATION.fullmatch(text) is not None,
    "integer": _whole(),
    "language": _like("[a-zA-Z]{1,8}(-[a-zA-Z0-9]{1,8})*"),
    "NCName": _like(r"[A-Za-z_][\w.-]*"),
    "unsignedInt": _whole(0, 2**32 - 1),
    "unsignedLong": _whole(0, 2**64 - 1),
}

_FACETS: dict[str, Callable[[str, str], bool]] = {
    "pattern": lambda text, pattern: re.fullmatch(pattern, text) is not None,
    "minInclusive": lambda text, least: int(text) >= int(least),
    "maxInclusive": lambda text, most: int(text) <= int(most),
    "minLength": lambda text, least: len(text) >= int(least),
}


def is_allowed(text: str, kind: str, facets: Facets) -> bool:
    """Whether `text` is a value of a datatype that all facets allow."""
    value = text if kind == "string" else text.strip()
    return TYPES[kind](value) and all(_FACETS[name](value, limit) for name, limit in facets)
