"""The requests that a cache forwards: computed for all requests at once, and one by one as a check.

A request is one integer: owner of the copy (20 bits), object (19 bits), time (24 bits of 10 µs).
Sorted, the requests for one copy are adjacent and in order of time, and copies do not influence
each other. The misses of a copy follow from each other. The first request is a miss, and so is
the first request after the copy has expired. One search for each miss is enough,
whatever the number of requests. The result is exact.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .model import MANIFESTS, MEDIA, Kind, Policy

Keys = NDArray[np.int64]

TICKS = 100_000
"""Ticks in a second."""
TIME_BITS = 24
TIME_MASK = (1 << TIME_BITS) - 1
LAST = TIME_MASK / TICKS
"""Seconds that fit into a key."""
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
    """The expiry rules of one tier."""

    ttl: tuple[int, ...]
    """Ticks, by kind; `NEVER` for objects that are not stored."""
    fill: int
    """Ticks from a miss to its response."""
    collapses: bool
    whole_seconds: bool

    def expiry(self, filled: Keys, ttl: Keys) -> Keys:
        """The expiry of copies that were stored at `filled`."""
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
        # An object that no cache may store does not live to the end of a second either.
        policy.whole_seconds and policy.manifest_ttl > 0,
    )


def kinds(keys: Keys) -> Keys:
    """The object of each request."""
    return (keys >> KIND_SHIFT) & ((1 << KIND_BITS) - 1)


def times(keys: Keys) -> Keys:
    """The time of each request, in ticks."""
    return keys & TIME_MASK


def later(keys: Keys, ticks: int) -> Keys:
    """The same requests, a little later; times stop at the largest that fits."""
    return (keys & ~TIME_MASK) | np.minimum(times(keys) + ticks, TIME_MASK)


def misses(keys: Keys, tier: Cache) -> Keys:
    """The requests among `keys` (sorted) that the tier forwards."""
    if not keys.size:
        return keys
    places = keys >> TIME_BITS
    starts = np.concatenate([[0], np.flatnonzero(places[1:] != places[:-1]) + 1])
    ends = np.append(starts[1:], keys.size)
    ttl = np.array(tier.ttl, dtype=np.int64)[kinds(keys[starts])]
    sent = np.zeros(keys.size + 1, dtype=np.int8)
    # A single request for a copy is a miss, and an object that is not stored has only misses.
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
    """For each of `places`, the first place from there to its end whose key reaches the limit.

    Often that is the place itself; only the others are searched.
    """
    here = np.minimum(places, keys.size - 1)
    far = (places < ends) & (keys[here] < least)
    found = places.copy()
    found[far] = np.searchsorted(keys, least[far])
    return found


def misses_one_by_one(keys: Sequence[int], tier: Cache) -> list[int]:
    """The same result, computed request by request in order of time."""
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
