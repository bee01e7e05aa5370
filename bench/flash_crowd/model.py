"""The assumptions of the model: viewers, caches, policies, and the capacity of one core."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from fractions import Fraction
from typing import Literal


class Kind(IntEnum):
    """Kinds of objects, in the order of the tables."""

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
        """The kind in the origin's `ringside_requests_total`."""
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
"""The object never changes. All others are manifests, and the time, which no cache may store."""
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
"""Bytes; of manifests, gzipped (docs/benchmarks.md)."""
_HEADERS = 450
"""Bytes of a response's headers."""


@dataclass(frozen=True)
class Ladder:
    """The objects of the channel."""

    bit_rates: tuple[int, ...]
    """Bit/s: video by falling bit rate, then audio."""
    segment: float
    """Seconds."""

    @property
    def audio(self) -> int:
        """Index of audio among the tracks."""
        return len(self.bit_rates) - 1

    @property
    def target(self) -> int:
        """Seconds: HLS's target duration."""
        return max(1, int(self.segment + 0.5))

    def size(self, kind: Kind, track: int) -> float:
        """Bytes of a response, with headers."""
        if kind in (Kind.SEGMENT, Kind.FRAGMENT):
            return self.bit_rates[track] * self.segment / 8 + _HEADERS
        return _BODIES[kind] + _HEADERS


@dataclass(frozen=True)
class Audience:
    """The crowd and its behaviour. Times in seconds; shares of 1."""

    viewers: int = 1_000_000
    ramp: float = 20.0
    """Seconds within which all viewers join: a raised cosine."""
    horizon: float = 60.0
    """Duration of the simulation, from the first join."""
    stay: float = 600.0
    """Mean of an exponential distribution."""
    hls: float = 0.60
    dash: float = 0.30
    """Share of Smooth: the rest."""
    start_over: float = 0.08
    """Share that starts at the event's start."""
    event_age: float = 57.6
    """Age of the event at the first join."""
    switch: float = 0.02
    """Probability of a step up or down the ladder, for each segment."""
    renditions: tuple[float, ...] = (0.30, 0.25, 0.18, 0.12, 0.10, 0.05)
    """Shares of the first renditions; a shorter ladder uses the first ones."""
    step: float = 0.05
    """Time between two requests, of which the second needs the first response."""
    start_segments: int = 3
    seed: int = 1


@dataclass(frozen=True)
class Fleet:
    """The caches. Fill times in seconds: from a miss to the response."""

    edges: int = 200
    cdns: int = 3
    shields: int = 2
    """Edges of each CDN."""
    skew: float = 0.5
    """Edge number k has viewers in proportion to k to the power of minus this."""
    edge_fill: float = 0.06
    shield_fill: float = 0.04

    def shield_of(self, edge: int) -> int:
        """The shield of an edge."""
        return edge % self.cdns * self.shields + edge // self.cdns % self.shields


@dataclass(frozen=True)
class Policy:
    """The settings of the caches."""

    name: str
    shield: bool = True
    edge_collapses: bool = True
    shield_collapses: bool = True
    manifest_ttl: float = 1.0
    """Seconds; the origin's value for segments of 1.92 s."""
    media_ttl: float | None = None
    """Seconds; None for the origin's value, a year."""
    time_ttl: float | None = None
    """Seconds that the time is cached; None for never, the origin's value."""
    private: Literal["nothing", "manifests", "all"] = "nothing"
    """Kinds whose key has a mark of the viewer (a query, a token)."""
    whole_seconds: bool = False
    """A copy expires at a whole second, as in nginx."""

    @property
    def staleness(self) -> tuple[float, float]:
        """The effective lifetime of a manifest at the edge and at the shield."""
        if self.private != "nothing":
            return 0.0, 0.0
        # To the second, so that several policies share one demand.
        ttl = float(round(self.manifest_ttl))
        if self.whole_seconds and ttl:
            ttl += 1
        return ttl, ttl if self.shield else 0.0


@dataclass(frozen=True)
class Capacity:
    """The capacity of one core of an origin."""

    requests: float = 100_000
    """Small responses per second."""
    gbits: float = 25.0
    """Gbit/s of segments."""
    cores: int = 8
    """Cores of one origin."""


POLICIES = (
    Policy("edges, shields"),
    Policy("the time kept for 1 s", time_ttl=1.0),
    Policy("manifests kept for 0.96 s, half a segment", manifest_ttl=0.96),
    Policy("media kept for 10 s", media_ttl=10.0),
    Policy("no shields", shield=False),
    Policy("shields that do not collapse", shield_collapses=False),
    Policy("shields, no request collapsing", edge_collapses=False, shield_collapses=False),
    Policy("no shields, no request collapsing", shield=False, edge_collapses=False),
    Policy("manifests kept for 0 s", manifest_ttl=0.0),
    Policy("manifests kept for 0 s, no shields", manifest_ttl=0.0, shield=False),
    Policy("a query a viewer in manifests' keys", private="manifests"),
    Policy("a token a viewer in every key", private="all"),
)
"""The policies; each differs from the first in one setting."""


def ladder_of(bit_rates: Mapping[str, int], audio: int, segment: Fraction) -> Ladder:
    """The ladder with these renditions and an audio track."""
    return Ladder((*sorted(bit_rates.values(), reverse=True), audio), float(segment))
