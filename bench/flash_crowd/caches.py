"""What a cache sends on: computed at once for all requests, and one by one to check that.

A request is one integer: whose copy (20 bits), of what (19 bits), when (24 bits of 10 µs). Sorted,
the requests for one copy stand together in the order of time, and what happens to one copy has
nothing to do with any other. A copy's misses follow from each other: the first request is one,
the next is the first after the copy's time has passed. So one search for each miss is all that it
takes, whatever the number of requests: exact, and the same as looking at every request.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .model import MANIFESTS, MEDIA, Kind, Policy

Keys = NDArray[np.int64]

TICKS = 100_000
"""A second."""
TIME_BITS = 24
TIME_MASK = (1 << TIME_BITS) - 1
LAST = TIME_MASK / TICKS
"""Seconds that fit in."""
NUMBER_BITS, TRACK_BITS, VIEW_BITS, KIND_BITS = 10, 4, 1, 4
OBJECT_BITS = NUMBER_BITS + TRACK_BITS + VIEW_BITS + KIND_BITS
OWNER_SHIFT = TIME_BITS + OBJECT_BITS
TRACK_SHIFT = TIME_BITS + NUMBER_BITS
VIEW_SHIFT = TRACK_SHIFT + TRACK_BITS
KIND_SHIFT = VIEW_SHIFT + VIEW_BITS
FOREVER = 1 << 40
"""Ticks."""
NEVER = -1


@dataclass(frozen=True)
class Cache:
    """How one tier keeps things."""

    ttl: tuple[int, ...]
    """Ticks, by kind; `NEVER` for what is not stored."""
    fill: int
    """Ticks from a miss to its answer."""
    collapses: bool
    whole_seconds: bool

    def expiry(self, filled: Keys, ttl: Keys) -> Keys:
        """When copies that came at `filled` are no longer good."""
        if not self.whole_seconds:
            return filled + ttl
        return np.asarray((filled // TICKS + 1) * TICKS + ttl)


def cache(policy: Policy, fill: float, *, collapses: bool) -> Cache:
    """A tier under a policy."""
    media = FOREVER if policy.media_ttl is None else round(policy.media_ttl * TICKS)
    ttl: dict[Kind, int] = {kind: round(policy.manifest_ttl * TICKS) for kind in MANIFESTS}
    ttl |= dict.fromkeys(MEDIA, media)
    ttl[Kind.TIME] = NEVER if policy.time_ttl is None else round(policy.time_ttl * TICKS)
    return Cache(
        tuple(ttl[kind] for kind in Kind),
        round(fill * TICKS),
        collapses,
        # What nobody may keep for any time is not kept to the end of a second either.
        policy.whole_seconds and policy.manifest_ttl > 0,
    )


def kinds(keys: Keys) -> Keys:
    """What each asks for."""
    return (keys >> KIND_SHIFT) & ((1 << KIND_BITS) - 1)


def times(keys: Keys) -> Keys:
    """When, in ticks."""
    return keys & TIME_MASK


def later(keys: Keys, ticks: int) -> Keys:
    """The same requests, a little later; none is lost at the end of what can be counted."""
    return (keys & ~TIME_MASK) | np.minimum(times(keys) + ticks, TIME_MASK)


def misses(keys: Keys, tier: Cache) -> Keys:
    """Those of `keys` (sorted) that the tier sends on."""
    if not keys.size:
        return keys
    places = keys >> TIME_BITS
    starts = np.concatenate([[0], np.flatnonzero(places[1:] != places[:-1]) + 1])
    ends = np.append(starts[1:], keys.size)
    ttl = np.array(tier.ttl, dtype=np.int64)[kinds(keys[starts])]
    sent = np.zeros(keys.size + 1, dtype=np.int8)
    # What is asked for once is a miss, and what is not stored is nothing else.
    sent[starts] = 1
    for start, end in zip(starts[ttl == NEVER], ends[ttl == NEVER], strict=True):
        sent[start:end] = 1
    more = (ends - starts > 1) & (ttl != NEVER)
    active, ends, ttl = starts[more], ends[more], ttl[more]
    while active.size:
        sent[active] = 1
        place = keys[active] & ~TIME_MASK
        filled = times(keys[active]) + tier.fill
        following = active + 1
        if not tier.collapses:
            following = _first(keys, following, ends, place | np.minimum(filled, TIME_MASK))
            for start, end in zip(active, following, strict=True):
                sent[start:end] = 1
        expiry = np.minimum(tier.expiry(filled, ttl), TIME_MASK)
        following = _first(keys, following, ends, place | expiry)
        goes_on = following < ends
        active, ends, ttl = following[goes_on], ends[goes_on], ttl[goes_on]
    return keys[sent[:-1] > 0]


def _first(keys: Keys, places: Keys, ends: Keys, least: Keys) -> Keys:
    """For each of `places` the first from there on, before its end, whose key is at least so much.

    Often that is the place itself: only the others are searched for.
    """
    here = np.minimum(places, keys.size - 1)
    far = (places < ends) & (keys[here] < least)
    found = places.copy()
    found[far] = np.searchsorted(keys, least[far])
    return found


def misses_one_by_one(keys: Sequence[int], tier: Cache) -> list[int]:
    """The same, as a cache lives it: request by request, in the order of time."""
    copies: dict[int, tuple[int, int]] = {}
    sent: list[int] = []
    for key in sorted(keys, key=lambda key: (key & TIME_MASK, key)):
        place, now = key >> TIME_BITS, key & TIME_MASK
        ttl = tier.ttl[(key >> KIND_SHIFT) & ((1 << KIND_BITS) - 1)]
        filled, expiry = copies.get(place, (-1, -1))
        if ttl == NEVER or now >= expiry:
            sent.append(key)
            filled = now + tier.fill
            second = (filled // TICKS + 1) * TICKS
            copies[place] = filled, (second if tier.whole_seconds else filled) + ttl
        elif now < filled and not tier.collapses:
            sent.append(key)
    return sorted(sent)
