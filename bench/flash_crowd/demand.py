"""The requests of viewers to their edges, as the players of each format make them.

All viewers advance together, step by step. A step is one refresh (HLS, DASH) or one segment
(Smooth, and viewers that started at the event's start). An unchanged playlist is requested again
after half a target duration. A viewer sees the live edge in a copy, which is as old as its edge and
its shield keep it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .caches import (
    KIND_SHIFT,
    LAST,
    OWNER_SHIFT,
    TICKS,
    TIME_BITS,
    TRACK_SHIFT,
    VIEW_SHIFT,
    Keys,
)
from .model import MANIFESTS, Audience, Fleet, Kind, Ladder

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

_DELTA = 1
"""Segment number of a delta update, which is a separate object."""
_SYNCHRONIZES = (0.0, 30.0, 90.0)
"""Seconds after joining: dash.js requests the time at once, and then more and more rarely."""


@dataclass(frozen=True)
class Viewers:
    """Some viewers, in columns."""

    edge: Ints
    join: Floats
    leave: Floats
    rendition: Ints
    form: Ints
    """0: HLS, 1: DASH, 2: Smooth."""
    start_over: Bools

    def __len__(self) -> int:
        """Number of viewers."""
        return len(self.edge)

    def some(self, which: Bools | slice) -> "Viewers":
        """The viewers that `chosen` selects."""
        return Viewers(*(getattr(self, name)[which] for name in self.__dataclass_fields__))


@dataclass(frozen=True)
class Requests:
    """Requests, in columns."""

    place: Keys
    """Object and time: the key without its owner."""
    viewer: Ints

    @staticmethod
    def together(parts: list["Requests"]) -> "Requests":
        """All requests."""
        return Requests(
            np.concatenate([part.place for part in parts]),
            np.concatenate([part.viewer for part in parts]),
        )


def audience(behaviour: Audience, fleet: Fleet, ladder: Ladder) -> Viewers:
    """All viewers, sorted by edge."""
    random = np.random.default_rng(behaviour.seed)
    weights = np.arange(1, fleet.edges + 1) ** -fleet.skew
    edge = np.sort(random.choice(fleet.edges, behaviour.viewers, p=weights / weights.sum()))
    share = np.linspace(0, 1, 4097)
    joined = share - np.sin(2 * np.pi * share) / (2 * np.pi)
    join = np.interp(random.random(behaviour.viewers), joined, share) * behaviour.ramp
    leave = np.minimum(
        join + random.exponential(behaviour.stay, behaviour.viewers), behaviour.horizon
    )
    renditions = np.array(behaviour.renditions[: ladder.audio])
    rendition = random.choice(len(renditions), behaviour.viewers, p=renditions / renditions.sum())
    form = np.searchsorted(
        [behaviour.hls, behaviour.hls + behaviour.dash], random.random(behaviour.viewers), "right"
    )
    start_over = random.random(behaviour.viewers) < behaviour.start_over
    return Viewers(edge, join, leave, rendition, form, start_over)


def chunks(viewers: Viewers, size: int) -> Iterator[Viewers]:
    """Chunks of whole edges, with about `size` viewers each."""
    begin = 0
    while begin < len(viewers):
        last = viewers.edge[min(begin + size, len(viewers)) - 1]
        end = int(np.searchsorted(viewers.edge, last, "right"))
        yield viewers.some(slice(begin, end))
        begin = end


class Demand:
    """Collects the requests of a chunk of viewers."""

    def __init__(
        self,
        viewers: Viewers,
        behaviour: Audience,
        fleet: Fleet,
        ladder: Ladder,
        staleness: tuple[float, float],
    ) -> None:
        """Requests of `viewers`; their edges and shields keep manifests for `staleness` seconds."""
        self._viewers = viewers
        self._behaviour = behaviour
        self._ladder = ladder
        self._staleness = staleness
        # The same for all viewers of an edge, in any chunk.
        phases = np.random.default_rng(behaviour.seed + 1).random((2, fleet.edges))
        shields = np.array([fleet.shield_of(edge) for edge in range(fleet.edges)])
        self._edge_phase, self._shield_phase = phases[0], phases[1][shields % fleet.edges]
        self._random = np.random.default_rng((behaviour.seed, int(viewers.edge[0])))
        self._parts: list[Requests] = []

    def asked(self) -> Requests:
        """Collect all requests."""
        viewers = self._viewers
        everybody = np.arange(len(viewers))
        self._join(everybody)
        for form in range(3):
            paced = viewers.start_over | (form == 2)
            self._refreshed(everybody[(viewers.form == form) & ~paced], form)
            self._paced(everybody[(viewers.form == form) & paced], form)
        return Requests.together(self._parts)

    def _ask(
        self,
        group: Ints,
        kind: Kind,
        time: Floats,
        track: Ints | int = 0,
        number: Ints | int = 0,
    ) -> None:
        """Add a request of each viewer that has not left."""
        there = time < np.minimum(self._viewers.leave[group], LAST)
        view = self._viewers.start_over[group] & (kind in MANIFESTS)
        place = (
            np.int64(int(kind) << KIND_SHIFT)
            | (view.astype(np.int64) << VIEW_SHIFT)
            | (np.asarray(track, dtype=np.int64) << TRACK_SHIFT)
            | (np.asarray(number, dtype=np.int64) << TIME_BITS)
            | (time * TICKS).astype(np.int64)
        )
        self._parts.append(Requests(place[there], group[there]))

    def _newest(self, group: Ints, time: Floats) -> Ints:
        """The newest segment in the copies that viewers get; number 0 starts the event."""
        edge = self._viewers.edge[group]
        seen = time
        for period, phase in zip(
            self._staleness, (self._edge_phase, self._shield_phase), strict=True
        ):
            if period:
                seen = seen - (seen + phase[edge] * period) % period
        whole = np.floor((seen + self._behaviour.event_age) / self._ladder.segment)
        return np.asarray(whole, dtype=np.int64) - 1

    def _join(self, group: Ints) -> None:
        """The first manifests, the init sections and the clock."""
        viewers, step = self._viewers, self._behaviour.step
        for form, kind in enumerate((Kind.MULTIVARIANT, Kind.MPD, Kind.SMOOTH)):
            some = group[viewers.form == form]
            join, rendition = viewers.join[some], viewers.rendition[some]
            self._ask(some, kind, join)
            if kind is Kind.SMOOTH:
                continue
            if kind is Kind.MPD:
                for after in _SYNCHRONIZES:
                    self._ask(some, Kind.TIME, join + step + after)
            inits = join + step * (2 if kind is Kind.MULTIVARIANT else 1)
            self._ask(some, Kind.INIT, inits, rendition)
            self._ask(some, Kind.INIT, inits, self._ladder.audio)

    def _segments(self, group: Ints, form: int, time: Floats, track: Ints, number: Ints) -> None:
        """A video and an audio segment."""
        kind = Kind.FRAGMENT if form == 2 else Kind.SEGMENT
        self._ask(group, kind, time, track, number)
        self._ask(group, kind, time, self._ladder.audio, number)

    def _switched(self, group: Ints, rendition: Ints, chance: Floats) -> tuple[Ints, Bools]:
        """The renditions from now on, and which viewers changed theirs."""
        drawn = self._random.random(len(group))
        step = np.where(drawn < chance / 2, -1, np.where(drawn < chance, 1, 0))
        chosen = np.clip(rendition + step, 0, self._ladder.audio - 1)
        return chosen, chosen != rendition

    def _manifest(
        self, group: Ints, form: int, time: Floats, rendition: Ints, fresh: Bools, has: Ints
    ) -> None:
        """A refresh; `fresh` have no playlist of the rendition yet, `has` is the newest number."""
        if form == 0:
            number = np.where(fresh, 0, _DELTA)
            self._ask(group, Kind.PLAYLIST, time, rendition, number)
            first = np.where(has < 0, 0, _DELTA)
            self._ask(group, Kind.PLAYLIST, time, self._ladder.audio, first)
        elif form == 1:
            again = has >= 0
            patched = again & self._viewers.start_over[group]
            live = again & ~patched
            self._ask(group[live], Kind.MPD_AGAIN, time[live])
            self._ask(group[patched], Kind.PATCH, time[patched], 0, has[patched])

    def _refreshed(self, group: Ints, form: int) -> None:
        """Viewers at the live edge fetch the segments that a refresh has listed."""
        step, segment = self._behaviour.step, self._ladder.segment
        # The first MPD is the first refresh; the playlists of HLS follow the multivariant playlist.
        time = self._viewers.join[group] + (step if form == 0 else 0)
        rendition = self._viewers.rendition[group].copy()
        has = np.full(len(group), -1)
        chance = np.full(len(group), self._behaviour.switch)
        while len(group):
            chosen, switched = self._switched(group, rendition, np.where(has < 0, 0, chance))
            self._manifest(group, form, time, chosen, (has < 0) | switched, has)
            self._ask(group[switched], Kind.INIT, time[switched] + step, chosen[switched])
            newest = np.maximum(self._newest(group, time), has)
            joined = has < 0
            first = np.where(joined, newest - self._behaviour.start_segments + 1, has + 1)
            for place in range(int(np.max(newest - first, initial=-1)) + 1):
                some = first + place <= newest
                # Existing segments are fetched one after the other.
                at = time[some] + step * (1 + place + joined[some])
                self._segments(group[some], form, at, chosen[some], first[some] + place)
            wait = np.full(len(group), segment)
            if form == 0:
                wait = np.where(newest > has, segment, self._ladder.target / 2)
            time, rendition, has = time + wait, chosen, newest
            there = time < self._viewers.leave[group]
            group, time, rendition = group[there], time[there], rendition[there]
            has, chance = has[there], chance[there]

    def _paced(self, group: Ints, form: int) -> None:
        """Viewers behind the live edge, and of Smooth, fetch a segment when one has been played."""
        step, segment, start = (
            self._behaviour.step,
            self._ladder.segment,
            self._behaviour.start_segments,
        )
        join = self._viewers.join[group]
        rendition = self._viewers.rendition[group].copy()
        newest = self._newest(group, join)
        # Smooth lists a fragment when the next one exists.
        number = np.where(self._viewers.start_over[group], 0, newest - start)
        has = np.full(len(group), -1)
        time = join + (step if form == 0 else 0)
        for turn in range(int(self._behaviour.horizon / segment) + 2):
            if not len(group):
                break
            chance = np.full(len(group), self._behaviour.switch if turn else 0.0)
            chosen, switched = self._switched(group, rendition, chance)
            self._manifest(group, form, time, chosen, (has < 0) | switched, has)
            if form != 2:
                self._ask(group[switched], Kind.INIT, time[switched] + step, chosen[switched])
            has = np.maximum(self._newest(group, time), has)
            for place in range(start if turn == 0 else 1):
                self._segments(group, form, time + step * (1 + place), chosen, number + place)
            number = number + (start if turn == 0 else 1)
            time, rendition = time + segment, chosen
            there = time < self._viewers.leave[group]
            group, time, rendition = group[there], time[there], rendition[there]
            number, has = number[there], has[there]


def owned(asked: Requests, owner: Ints) -> Keys:
    """Sorted keys of requests by owner of the copy; `owner` has one for each request."""
    keys = (owner.astype(np.int64) << OWNER_SHIFT) | asked.place
    keys.sort()
    return keys


def of_edges(viewers: Viewers, asked: Requests) -> Keys:
    """Sorted keys of requests, by edge."""
    return owned(asked, viewers.edge[asked.viewer])


def only(asked: Requests, which: Bools) -> Requests:
    """Some of the requests."""
    return replace(asked, place=asked.place[which], viewer=asked.viewer[which])
