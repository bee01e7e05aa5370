"""Which coding of a body a client wants (RFC 9110 section 12.5.3)."""

import re
from functools import lru_cache

_ITEM = re.compile(r"\s*([!#$%&'*+.^`|~\w-]+)\s*(?:;\s*q\s*=\s*([01](?:\.[0-9]{0,3})?)\s*)?")


@lru_cache(1024)
def wants_gzip(header: str) -> bool:
    """Whether Accept-Encoding wants gzip at least as much as the plain body.

    What cannot be read counts for nothing.
    """
    weights: dict[str, float] = {}
    for item in header.lower().split(","):
        if match := _ITEM.fullmatch(item):
            weights[match[1]] = float(match[2] or 1)
    rest = weights.get("*", 0.0)
    zipped = weights.get("gzip", weights.get("x-gzip", rest))
    return zipped > 0 and zipped >= weights.get("identity", 0.0)
