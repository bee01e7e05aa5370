"""What is assumed: who comes, through which caches, by which rules, and what one core can do."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from fractions import Fraction
from typing import Literal


class Kind(IntEnum):
    """What is asked for, in the order of the tables."""

    MULTIVARIANT = 0
    PLAYLIST = 1
    MPD = 2
    MPD_AGAIN = 3
    PATCH = 4
    SMOOTH = 5
    INIT = 6
    SEGMENT = 7
    FRAGMENT = 8
    TIME = 9

    @property
    def label(self) -> str:
        """What the origin's `ringside_requests_total` calls it."""
        return _LABELS[self]


_LABELS = {
    Kind.MULTIVARIANT: "hls-multivariant",
    Kind.PLAYLIST: "hls-media",
    Kind.MPD: "dash",
    Kind.MPD_AGAIN: "dash-going-on",
    Kind.PATCH: "dash-patch",
    Kind.SMOOTH: "smooth",
    Kind.INIT: "init",
    Kind.SEGMENT: "segment",
    Kind.FRAGMENT: "fragment",
    Kind.TIME: "other",
}
MEDIA: tuple[Kind, ...] = (Kind.INIT, Kind.SEGMENT, Kind.FRAGMENT)
"""Never changes; the rest are manifests, but for the time, which nobody may keep."""
MANIFESTS: tuple[Kind, ...] = tuple(
    kind for kind in Kind if kind not in MEDIA and kind is not Kind.TIME
)

_BODIES = {
    Kind.MULTIVARIANT: 700,
    Kind.PLAYLIST: 1400,
    Kind.MPD: 2200,
    Kind.MPD_AGAIN: 2200,
    Kind.PATCH: 400,
    Kind.SMOOTH: 1500,
    Kind.INIT: 900,
    Kind.TIME: 27,
}
"""Bytes; of manifests as they are with gzip (docs/benchmarks.md)."""
_HEADERS = 450
"""Bytes of an answer's headers."""


@dataclass(frozen=True)
class Ladder:
    """What there is to fetch."""

    bit_rates: tuple[int, ...]
    """Bit/s: the renditions, the highest first; then the sound."""
    segment: float
    """Seconds."""

    @property
    def sound(self) -> int:
        """The sound's place among the tracks."""
        return len(self.bit_rates) - 1

    @property
    def target(self) -> int:
        """Seconds: HLS's target duration."""
        return max(1, int(self.segment + 0.5))

    def octets(self, kind: Kind, track: int) -> float:
        """Bytes of an answer, headers too."""
        if kind in (Kind.SEGMENT, Kind.FRAGMENT):
            return self.bit_rates[track] * self.segment / 8 + _HEADERS
        return _BODIES[kind] + _HEADERS


@dataclass(frozen=True)
class Audience:
    """Who comes, and how they watch. Times in seconds; shares of 1."""

    viewers: int = 1_000_000
    ramp: float = 20.0
    """All join within it: a raised cosine."""
    horizon: float = 60.0
    """What is looked at, from the first who joins on."""
    stay: float = 600.0
    """Mean of an exponential."""
    hls: float = 0.60
    dash: float = 0.30
    """Smooth: the rest."""
    start_over: float = 0.08
    """Begin at the event's start."""
    event_age: float = 57.6
    """How long ago the event began when the first joins."""
    switch: float = 0.02
    """Chance of a step up or down the ladder, each segment."""
    rungs: tuple[float, ...] = (0.30, 0.25, 0.18, 0.12, 0.10, 0.05)
    """Who begins on which rendition; of a shorter ladder, the first ones."""
    step: float = 0.05
    """From one request of a viewer to the next that needs its answer."""
    start_segments: int = 3
    seed: int = 1


@dataclass(frozen=True)
class Fleet:
    """Caches between them. Fill times: from a miss to the answer, in seconds."""

    edges: int = 200
    cdns: int = 3
    shields: int = 2
    """Of each CDN."""
    skew: float = 0.5
    """Edge number k has viewers in proportion to k to the power of minus this."""
    edge_fill: float = 0.06
    shield_fill: float = 0.04

    def shield_of(self, edge: int) -> int:
        """The shield that an edge asks."""
        return edge % self.cdns * self.shields + edge // self.cdns % self.shields


@dataclass(frozen=True)
class Policy:
    """How the caches are set."""

    name: str
    shield: bool = True
    edge_collapses: bool = True
    shield_collapses: bool = True
    manifest_ttl: float = 1.0
    """Seconds: what the origin says of 1.92 s segments."""
    media_ttl: float | None = None
    """Seconds; None for the origin's year."""
    time_ttl: float | None = None
    """Seconds that the time is kept; None for never, as the origin says."""
    private: Literal["nothing", "manifests", "all"] = "nothing"
    """What has a viewer's own mark (a query, a token) in its key."""
    whole_seconds: bool = False
    """A copy is good until the whole second after its time has passed, as in nginx."""

    @property
    def staleness(self) -> tuple[float, float]:
        """For how long a manifest's copy is kept at the edge and at the shield, in effect."""
        if self.private != "nothing":
            return 0.0, 0.0
        # To the second: one demand serves more policies.
        ttl = float(round(self.manifest_ttl))
        if self.whole_seconds and ttl:
            ttl += 1
        return ttl, ttl if self.shield else 0.0


@dataclass(frozen=True)
class Capacity:
    """What one core of an origin is taken to do."""

    requests: float = 100_000
    """Small answers a second."""
    gbits: float = 25.0
    """Gbit/s of segments."""
    cores: int = 8
    """Of one origin."""


POLICIES = (
    Policy("edges, shields"),
    Policy("the time kept for 1 s", time_ttl=1.0),
    Policy("manifests kept for 0.96 s, half a segment", manifest_ttl=0.96),
    Policy("media kept for 10 s", media_ttl=10.0),
    Policy("no shields", shield=False),
    Policy("shields that do not collapse", shield_collapses=False),
    Policy("shields, nobody collapses", edge_collapses=False, shield_collapses=False),
    Policy("no shields, nobody collapses", shield=False, edge_collapses=False),
    Policy("manifests kept for 0 s", manifest_ttl=0.0),
    Policy("manifests kept for 0 s, no shields", manifest_ttl=0.0, shield=False),
    Policy("a query a viewer in manifests' keys", private="manifests"),
    Policy("a token a viewer in every key", private="all"),
)
"""What is compared; the first is what the others differ from."""


def ladder_of(bit_rates: Mapping[str, int], sound: int, segment: Fraction) -> Ladder:
    """The ladder of these renditions and a sound."""
    return Ladder((*sorted(bit_rates.values(), reverse=True), sound), float(segment))
