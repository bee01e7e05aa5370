"""How long each answer may be kept, by CDN.

CDNs cache errors too, for 10 s on some and 120 s on others if nobody says otherwise, so every
answer says it for itself. One row a preset: the generic one, and what a CDN needs to differ in.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from origin.plan import Freshness

Cdn = Literal["generic", "akamai", "cloudfront", "fastly", "google"]


@dataclass(frozen=True, slots=True)
class Policy:
    """What is said to caches, and how."""

    cdn: Cdn = "generic"
    targeted: bool = False
    """CDNs are told apart from players, by CDN-Cache-Control (RFC 9213)."""
    hints: bool = False
    """A segment's answer names the next (`Link: rel="next"`), so that it can be fetched early."""


_RELOADED = 6
"""Segments for which a playlist that was waited for is kept."""
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
    # A max-age on an error loses to CloudFront's own minimum of ten seconds; no-store does not.
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
    """The Cache-Control of an answer.

    Args:
        freshness: how long it stays right.
        cdn: whose rules count.
        segment: the channel's segment duration in seconds.
        lasts: seconds that what a manifest names is there at least.
    """
    if freshness is Freshness.ENDED_MANIFEST and lasts is not None:
        return f"public, max-age={max(1, min(_HOUR, lasts // 1))}"
    if freshness is Freshness.RELOADED:
        # Each address is asked for once, and then not again: what it has stays right.
        return f"public, max-age={max(1, _RELOADED * segment // 1)}"
    if freshness is Freshness.LIVE_MANIFEST:
        # Whole seconds, and never none: a manifest nobody may keep is asked for by everybody.
        return f"public, max-age={max(1, segment // 2)}"
    return _DIFFERENT[cdn].get(freshness, _GENERIC[freshness])


def cdn_cache_control(
    freshness: Freshness, cdn: Cdn, segment: Fraction, lasts: Fraction | None = None
) -> str:
    """The same for CDNs alone (RFC 9213), which can do more than a player's cache (RFC 5861).

    While one request fetches a new live manifest the others get the one before, for no longer than
    it was fresh; what never changes outlasts an origin that does not answer.
    """
    everybody = cache_control(freshness, cdn, segment, lasts).removeprefix("public, ")
    match freshness:
        case Freshness.LIVE_MANIFEST:
            seconds = everybody.removeprefix("max-age=")
            return f"{everybody}, stale-while-revalidate={seconds}"
        case Freshness.FOREVER | Freshness.ENDED_MANIFEST:
            return f"{everybody.removesuffix(', immutable')}, stale-if-error={_DAY}"
        case _:
            return everybody
