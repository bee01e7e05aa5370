"""The content coding that a client prefers (RFC 9110 section 12.5.3)."""

import re
from functools import lru_cache

_ITEM = re.compile(r"\s*([!#$%&'*+.^`|~\w-]+)\s*(?:;\s*q\s*=\s*([01](?:\.[0-9]{0,3})?)\s*)?")


@lru_cache(1024)
def wants_gzip(header: str) -> bool:
    """Whether Accept-Encoding weighs gzip at least as much as the plain body.

    Items that cannot be parsed are ignored.
    """
    weights: dict[str, float] = {}
    for item in header.lower().split(","):
        if match := _ITEM.fullmatch(item):
            weights[match[1]] = float(match[2] or 1)
    rest = weights.get("*", 0.0)
    gzip = weights.get("gzip", weights.get("x-gzip", rest))
    return gzip > 0 and gzip >= weights.get("identity", 0.0)
