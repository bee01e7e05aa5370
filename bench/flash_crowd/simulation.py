"""Requests from viewers to the origin, under each policy."""

import functools
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from .caches import (
    OWNER_SHIFT,
    TICKS,
    TRACK_BITS,
    TRACK_SHIFT,
    Cache,
    Keys,
    cache,
    kinds,
    later,
    times,
)
from .caches import misses as computed
from .demand import Demand, Viewers, audience, chunks, of_edges, only, owned
from .model import MEDIA, Audience, Fleet, Kind, Ladder, Policy

_CHUNK = 20_000
"""Viewers in memory at a time, for each process."""
BURST = 0.05
"""Seconds of a bin in which bursts are counted."""
_BINS = round(1 / BURST)


@dataclass
class Load:
    """Counts of requests that arrive at a place."""

    requests: NDArray[np.int64]
    """By kind and burst bin."""
    size: NDArray[np.float64]
    """By second."""

    @staticmethod
    def none(horizon: float) -> "Load":
        """Zero counts for a number of seconds."""
        seconds = int(np.ceil(horizon))
        return Load(
            np.zeros((len(Kind), seconds * _BINS), dtype=np.int64), np.zeros(seconds, dtype=float)
        )

    @staticmethod
    def of(keys: Keys, horizon: float, ladder: Ladder) -> "Load":
        """Counts of these requests; requests after the horizon are left out."""
        load = Load.none(horizon)
        bins, what = load.requests.shape[1], len(Kind) << TRACK_BITS
        time = times(keys) // (TICKS // _BINS)
        # Kind and track; the view in between does not matter.
        kind, track = kinds(keys), (keys >> TRACK_SHIFT) & ((1 << TRACK_BITS) - 1)
        code = (kind << TRACK_BITS | track) * bins + time
        counts = np.bincount(code[time < bins], minlength=what * bins)
        by_track = counts.reshape(len(Kind), -1, bins)
        sizes = np.array([[ladder.size(k, t) for t in range(ladder.audio + 1)] for k in Kind])
        size = np.tensordot(sizes, by_track[:, : ladder.audio + 1], 2)
        load.requests += by_track.sum(axis=1)
        load.size += size.reshape(-1, _BINS).sum(axis=1)
        return load

    def __add__(self, other: "Load") -> "Load":
        """The sum of both."""
        return Load(self.requests + other.requests, self.size + other.size)

    def per_second(self, *which: Kind) -> NDArray[np.int64]:
        """Requests in each second, of some kinds or all."""
        rows = self.requests[list(which)] if which else self.requests
        return np.asarray(rows.sum(axis=0).reshape(-1, _BINS).sum(axis=1))

    @property
    def burst(self) -> int:
        """Requests in the worst burst bin."""
        return int(self.requests.sum(axis=0).max())

    def total(self, *which: Kind) -> int:
        """Requests of some kinds, or all."""
        return int(self.per_second(*which).sum())


@dataclass
class Outcome:
    """The result of a policy."""

    policy: Policy
    edge: Load
    """Requests of viewers."""
    origin: Load
    edge_sent: int = 0
    """Requests that edges forward."""

    @property
    def edge_hits(self) -> float:
        """Share of the requests of viewers that edges have, or are fetching."""
        return 1 - self.edge_sent / max(1, self.edge.total())

    @property
    def shield_hits(self) -> float:
        """Share of the requests of edges that shields have."""
        return 1 - self.origin.total() / max(1, self.edge_sent)


@dataclass(frozen=True)
class Setting:
    """The parameters that all policies share."""

    behaviour: Audience
    fleet: Fleet
    ladder: Ladder

    def tiers(self, policy: Policy) -> tuple[Cache, Cache | None]:
        """Edges and shields."""
        fill = self.fleet.edge_fill
        edge = cache(policy, fill, collapses=policy.edge_collapses)
        if not policy.shield:
            return edge, None
        fill = self.fleet.shield_fill
        return edge, cache(policy, fill, collapses=policy.shield_collapses)


@dataclass
class _Part:
    """The result of one chunk of viewers under one policy."""

    edge: Load
    private: Load
    """At the origin: requests that no other viewer's request influences."""
    sent: Keys
    """By edges, for shields that other edges use too."""
    private_sent: int


_Work = tuple[Sequence[Policy], tuple[float, float], Viewers]
"""Policies with the same live edge and copy lifetime, and some viewers."""


def _work(setting: Setting, work: _Work) -> list[_Part]:
    """The results of some viewers under some policies."""
    policies, staleness, viewers = work
    asked = Demand(viewers, setting.behaviour, setting.fleet, setting.ladder, staleness).asked()
    shared = of_edges(viewers, asked)
    load = Load.of(shared, setting.behaviour.horizon, setting.ladder)
    media = np.isin(kinds(asked.place), [int(kind) for kind in MEDIA])
    private = {
        "nothing": np.zeros_like(media), "manifests": ~media, "all": np.ones_like(media)
    }  # fmt: skip

    @functools.cache
    def sent(whose: str, edge: Cache) -> tuple[Keys, Keys]:
        """Requests that meet others at the shield, and requests that do not."""
        mine = only(asked, private[whose])
        own = computed(owned(mine, mine.viewer), edge)
        keys = shared if whose == "nothing" else of_edges(viewers, only(asked, ~private[whose]))
        return later(computed(keys, edge), edge.fill // 2), later(own, edge.fill // 2)

    result = []
    for policy in policies:
        edge, shield = setting.tiers(policy)
        others, own = sent(policy.private, edge)
        arrived = own if shield is None else _through(own, shield)
        at_origin = Load.of(arrived, setting.behaviour.horizon, setting.ladder)
        result.append(_Part(load, at_origin, others, len(own)))
    return result


def _through(keys: Keys, shield: Cache) -> Keys:
    return later(computed(np.sort(keys), shield), shield.fill // 2)


def _at_origin(setting: Setting, policy: Policy, sent: Keys) -> Keys:
    """Requests at the origin, of those that the edges forward."""
    _, shield = setting.tiers(policy)
    if shield is None:
        return sent
    shields = np.array([setting.fleet.shield_of(edge) for edge in range(setting.fleet.edges)])
    owner = shields[sent >> OWNER_SHIFT].astype(np.int64) << OWNER_SHIFT
    return _through(owner | (sent & ((1 << OWNER_SHIFT) - 1)), shield)


def _works(policies: Sequence[Policy]) -> Iterator[tuple[Sequence[Policy], tuple[float, float]]]:
    """Policies that show viewers the same live edge: one demand serves all of them."""
    ordered = sorted(policies, key=lambda policy: policy.staleness)
    for staleness, some in groupby(ordered, key=lambda policy: policy.staleness):
        yield list(some), staleness


def simulate(setting: Setting, policies: Sequence[Policy], processes: int = 0) -> list[Outcome]:
    """The result of each policy, in order."""
    everybody = audience(setting.behaviour, setting.fleet, setting.ladder)
    works = [
        (some, staleness, part)
        for some, staleness in _works(policies)
        for part in chunks(everybody, _CHUNK)
    ]
    with ProcessPoolExecutor(processes or os.cpu_count()) as pool:
        go_on = map if processes == 1 else pool.map
        done = list(go_on(functools.partial(_work, setting), works))
    parts: dict[str, list[_Part]] = {policy.name: [] for policy in policies}
    for (some, _, _), results in zip(works, done, strict=True):
        for policy, part in zip(some, results, strict=True):
            parts[policy.name].append(part)
    return [_outcome(setting, policy, parts[policy.name]) for policy in policies]


def _outcome(setting: Setting, policy: Policy, parts: Sequence[_Part]) -> Outcome:
    sent = np.concatenate([part.sent for part in parts])
    arrived = _at_origin(setting, policy, sent)
    origin = Load.of(arrived, setting.behaviour.horizon, setting.ladder)
    return Outcome(
        policy,
        functools.reduce(Load.__add__, (part.edge for part in parts)),
        functools.reduce(Load.__add__, (part.private for part in parts), origin),
        len(sent) + sum(part.private_sent for part in parts),
    )
