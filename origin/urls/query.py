"""Query arguments. Names are compared as sent, without decoding, as in a CDN's cache key."""

from collections.abc import Collection
from urllib.parse import unquote_plus

MAX_QUERY = 4096
"""Characters of a query that are read."""


def values(query: str, names: Collection[str]) -> dict[str, str]:
    """Decoded values of the arguments in `names`; the last one of a repeated argument."""
    if not query:
        return {}
    pairs = (pair.partition("=") for pair in query[:MAX_QUERY].split("&"))
    return {name: unquote_plus(value) for name, _, value in pairs if name in names and value}
