"""What a query says: names count as they are spelled, since a CDN's key has them so."""

from collections.abc import Collection
from urllib.parse import unquote_plus

MAX_QUERY = 4096
"""Characters of a query that are looked at."""


def values(query: str, names: Collection[str]) -> dict[str, str]:
    """The values, decoded, of those of `names` that `query` has; of several the last counts."""
    if not query:
        return {}
    pairs = (pair.partition("=") for pair in query[:MAX_QUERY].split("&"))
    return {name: unquote_plus(value) for name, _, value in pairs if name in names and value}
