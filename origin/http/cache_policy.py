"""How long caches may keep each response, by CDN.

CDNs cache errors too, by default for 10 s on some and 120 s on others: every response has its own
Cache-Control. The generic preset has all values; a CDN's preset has those that differ. Responses of
the control port, and the 503 of a full listener, are not cached: they do not use this policy.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from origin.decision.plan import Freshness

Cdn = Literal["generic", "akamai", "cloudfront", "fastly", "google"]


@dataclass(frozen=True, slots=True)
class CachePolicy:
    """The configured behaviour towards caches."""

    cdn: Cdn = "generic"
    targeted: bool = False
    """CDNs get a header of their own, CDN-Cache-Control (RFC 9213)."""
    hints: bool = False
    """A segment's response links to the next (`Link: rel="next"`), so a CDN can fetch it early."""


_RELOADED = 6
"""Segment durations for which a cache keeps the response to a blocking playlist reload."""
_HOUR = 3600
_DAY = 86_400
_YEAR = 31_536_000
_GENERIC: Mapping[Freshness, str] = {
    Freshness.FOREVER: f"public, max-age={_YEAR}, immutable",
    Freshness.MOVED: "public, max-age=60",
    Freshness.ENDED_MANIFEST: f"public, max-age={_HOUR}",
    Freshness.NEVER: "no-store",
    Freshness.SOON: "public, max-age=1",
    Freshness.HOLE: "public, max-age=2",
    Freshness.GONE: "public, max-age=60",
    Freshness.UNKNOWN: "public, max-age=5",
    Freshness.UNAVAILABLE: "public, max-age=1",
    Freshness.BAD: "public, max-age=5",
    Freshness.CONDITION: "no-store",
}
_DIFFERENT: Mapping[str, Mapping[Freshness, str]] = {
    "generic": {},
    "akamai": {},
    # CloudFront caches an error for at least ten seconds whatever its max-age, unless no-store.
    "cloudfront": {
        Freshness.SOON: "no-store",
        Freshness.HOLE: "no-store",
        Freshness.UNAVAILABLE: "no-store",
    },
    "fastly": {},
    "google": {},
}


def cache_control(
    freshness: Freshness, cdn: Cdn, segment: Fraction, lasts: Fraction | None = None
) -> str:
    """The Cache-Control of a response.

    Args:
        freshness: how long the response stays valid.
        cdn: the preset.
        segment: the channel's segment duration in seconds.
        lasts: seconds for which all media of a manifest stays available at least.
    """
    if freshness is Freshness.ENDED_MANIFEST and lasts is not None:
        return f"public, max-age={max(1, min(_HOUR, lasts // 1))}"
    if freshness is Freshness.RELOADED:
        # A player requests each address once: its response stays valid.
        return f"public, max-age={max(1, _RELOADED * segment // 1)}"
    if freshness is Freshness.LIVE_MANIFEST:
        # At least one second: without it each viewer's request would reach the origin.
        return f"public, max-age={max(1, segment // 2)}"
    return _DIFFERENT[cdn].get(freshness, _GENERIC[freshness])


def cdn_cache_control(
    freshness: Freshness, cdn: Cdn, segment: Fraction, lasts: Fraction | None = None
) -> str:
    """The CDN-Cache-Control of a response (RFC 9213), with the extensions of RFC 5861.

    While one request fetches a new live manifest, the others get the previous one for as long as it
    was fresh. Objects that never change are served also while the origin does not respond.
    """
    shared = cache_control(freshness, cdn, segment, lasts).removeprefix("public, ")
    match freshness:
        case Freshness.LIVE_MANIFEST:
            seconds = shared.removeprefix("max-age=")
            return f"{shared}, stale-while-revalidate={seconds}"
        case Freshness.FOREVER | Freshness.ENDED_MANIFEST:
            return f"{shared.removesuffix(', immutable')}, stale-if-error={_DAY}"
        case _:
            return shared
