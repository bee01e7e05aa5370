"""What viewers ask their edges for, as the players of each format do.

All viewers at once, step by step: a step is one refresh (HLS, DASH) or one segment (Smooth, and
who began at the start). A playlist that has not changed is asked for again after half a target
duration. What a viewer sees of the live edge is a copy: as old as the time since its edge, and its
shield, had it anew.
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
"""In place of a number: a playlist as a delta update, which is another object."""
_SYNCHRONIZES = (0.0, 30.0, 90.0)
"""Seconds after joining: dash.js asks for the time, at once and then ever more rarely."""


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
        """How many."""
        return len(self.edge)

    def some(self, which: Bools | slice) -> "Viewers":
        """Those."""
        return Viewers(*(getattr(self, name)[which] for name in self.__dataclass_fields__))


@dataclass(frozen=True)
class Asked:
    """Requests, in columns."""

    place: Keys
    """Of what and when: the key without its owner."""
    viewer: Ints

    @staticmethod
    def together(parts: list["Asked"]) -> "Asked":
        """All of them."""
        return Asked(
            np.concatenate([part.place for part in parts]),
            np.concatenate([part.viewer for part in parts]),
        )


def audience(who: Audience, fleet: Fleet, ladder: Ladder) -> Viewers:
    """Everybody, by edge."""
    random = np.random.default_rng(who.seed)
    weights = np.arange(1, fleet.edges + 1) ** -fleet.skew
    edge = np.sort(random.choice(fleet.edges, who.viewers, p=weights / weights.sum()))
    share = np.linspace(0, 1, 4097)
    joined = share - np.sin(2 * np.pi * share) / (2 * np.pi)
    join = np.interp(random.random(who.viewers), joined, share) * who.ramp
    leave = np.minimum(join + random.exponential(who.stay, who.viewers), who.horizon)
    rungs = np.array(who.rungs[: ladder.sound])
    rendition = random.choice(len(rungs), who.viewers, p=rungs / rungs.sum())
    form = np.searchsorted([who.hls, who.hls + who.dash], random.random(who.viewers), "right")
    start_over = random.random(who.viewers) < who.start_over
    return Viewers(edge, join, leave, rendition, form, start_over)


def chunks(viewers: Viewers, size: int) -> Iterator[Viewers]:
    """Whole edges together, about `size` viewers at a time."""
    begin = 0
    while begin < len(viewers):
        last = viewers.edge[min(begin + size, len(viewers)) - 1]
        end = int(np.searchsorted(viewers.edge, last, "right"))
        yield viewers.some(slice(begin, end))
        begin = end


class Demand:
    """What a chunk of viewers asks for."""

    def __init__(
        self,
        viewers: Viewers,
        who: Audience,
        fleet: Fleet,
        ladder: Ladder,
        staleness: tuple[float, float],
    ) -> None:
        """Of `viewers`, whose edges and shields keep manifests for `staleness` seconds."""
        self._viewers = viewers
        self._who = who
        self._ladder = ladder
        self._staleness = staleness
        # The same for everybody of an edge, in whatever chunk.
        phases = np.random.default_rng(who.seed + 1).random((2, fleet.edges))
        shields = np.array([fleet.shield_of(edge) for edge in range(fleet.edges)])
        self._edge_phase, self._shield_phase = phases[0], phases[1][shields % fleet.edges]
        self._random = np.random.default_rng((who.seed, int(viewers.edge[0])))
        self._parts: list[Asked] = []

    def asked(self) -> Asked:
        """Everything."""
        viewers = self._viewers
        everybody = np.arange(len(viewers))
        self._join(everybody)
        for form in range(3):
            paced = viewers.start_over | (form == 2)
            self._refreshed(everybody[(viewers.form == form) & ~paced], form)
            self._paced(everybody[(viewers.form == form) & paced], form)
        return Asked.together(self._parts)

    def _ask(
        self, who: Ints, kind: Kind, time: Floats, track: Ints | int = 0, number: Ints | int = 0
    ) -> None:
        """Note that viewers ask for something, unless they have left."""
        there = time < np.minimum(self._viewers.leave[who], LAST)
        view = self._viewers.start_over[who] & (kind in MANIFESTS)
        place = (
            np.int64(int(kind) << KIND_SHIFT)
            | (view.astype(np.int64) << VIEW_SHIFT)
            | (np.asarray(track, dtype=np.int64) << TRACK_SHIFT)
            | (np.asarray(number, dtype=np.int64) << TIME_BITS)
            | (time * TICKS).astype(np.int64)
        )
        self._parts.append(Asked(place[there], who[there]))

    def _newest(self, who: Ints, time: Floats) -> Ints:
        """The newest segment of the copy that viewers get; number 0 opens the event."""
        edge = self._viewers.edge[who]
        seen = time
        for period, phase in zip(
            self._staleness, (self._edge_phase, self._shield_phase), strict=True
        ):
            if period:
                seen = seen - (seen + phase[edge] * period) % period
        whole = np.floor((seen + self._who.event_age) / self._ladder.segment)
        return np.asarray(whole, dtype=np.int64) - 1

    def _join(self, who: Ints) -> None:
        """The first manifests and init sections; the clock."""
        viewers, step = self._viewers, self._who.step
        for form, kind in enumerate((Kind.MULTIVARIANT, Kind.MPD, Kind.SMOOTH)):
            some = who[viewers.form == form]
            join, rendition = viewers.join[some], viewers.rendition[some]
            self._ask(some, kind, join)
            if kind is Kind.SMOOTH:
                continue
            if kind is Kind.MPD:
                for after in _SYNCHRONIZES:
                    self._ask(some, Kind.TIME, join + step + after)
            inits = join + step * (2 if kind is Kind.MULTIVARIANT else 1)
            self._ask(some, Kind.INIT, inits, rendition)
            self._ask(some, Kind.INIT, inits, self._ladder.sound)

    def _segments(self, who: Ints, form: int, time: Floats, track: Ints, number: Ints) -> None:
        """A segment of the picture and of the sound."""
        kind = Kind.FRAGMENT if form == 2 else Kind.SEGMENT
        self._ask(who, kind, time, track, number)
        self._ask(who, kind, time, self._ladder.sound, number)

    def _switched(self, who: Ints, rendition: Ints, chance: Floats) -> tuple[Ints, Bools]:
        """Their renditions from now on, and who has another than before."""
        drawn = self._random.random(len(who))
        step = np.where(drawn < chance / 2, -1, np.where(drawn < chance, 1, 0))
        chosen = np.clip(rendition + step, 0, self._ladder.sound - 1)
        return chosen, chosen != rendition

    def _manifest(
        self, who: Ints, form: int, time: Floats, rendition: Ints, fresh: Bools, has: Ints
    ) -> None:
        """A refresh; `fresh` have no playlist of that rendition yet, `has` is how far they know."""
        if form == 0:
            number = np.where(fresh, 0, _DELTA)
            self._ask(who, Kind.PLAYLIST, time, rendition, number)
            first = np.where(has < 0, 0, _DELTA)
            self._ask(who, Kind.PLAYLIST, time, self._ladder.sound, first)
        elif form == 1:
            again = has >= 0
            patched = again & self._viewers.start_over[who]
            live = again & ~patched
            self._ask(who[live], Kind.MPD_AGAIN, time[live])
            self._ask(who[patched], Kind.PATCH, time[patched], 0, has[patched])

    def _refreshed(self, who: Ints, form: int) -> None:
        """Who is at the live edge fetches what a refresh has shown."""
        step, segment = self._who.step, self._ladder.segment
        # The MPD that one joins with is the first refresh; HLS's playlists follow the multivariant.
        time = self._viewers.join[who] + (step if form == 0 else 0)
        rendition = self._viewers.rendition[who].copy()
        has = np.full(len(who), -1)
        chance = np.full(len(who), self._who.switch)
        while len(who):
            chosen, switched = self._switched(who, rendition, np.where(has < 0, 0, chance))
            self._manifest(who, form, time, chosen, (has < 0) | switched, has)
            self._ask(who[switched], Kind.INIT, time[switched] + step, chosen[switched])
            newest = np.maximum(self._newest(who, time), has)
            joined = has < 0
            first = np.where(joined, newest - self._who.start_segments + 1, has + 1)
            for place in range(int(np.max(newest - first, initial=-1)) + 1):
                some = first + place <= newest
                # Segments that are there already come one after the other.
                at = time[some] + step * (1 + place + joined[some])
                self._segments(who[some], form, at, chosen[some], first[some] + place)
            wait = np.full(len(who), segment)
            if form == 0:
                wait = np.where(newest > has, segment, self._ladder.target / 2)
            time, rendition, has = time + wait, chosen, newest
            there = time < self._viewers.leave[who]
            who, time, rendition = who[there], time[there], rendition[there]
            has, chance = has[there], chance[there]

    def _paced(self, who: Ints, form: int) -> None:
        """Who is behind the live edge, or in Smooth, fetches a segment when one has been played."""
        step, segment, start = self._who.step, self._ladder.segment, self._who.start_segments
        join = self._viewers.join[who]
        rendition = self._viewers.rendition[who].copy()
        newest = self._newest(who, join)
        # Smooth lists a fragment once the one after it is there.
        number = np.where(self._viewers.start_over[who], 0, newest - start)
        has = np.full(len(who), -1)
        time = join + (step if form == 0 else 0)
        for turn in range(int(self._who.horizon / segment) + 2):
            if not len(who):
                break
            chance = np.full(len(who), self._who.switch if turn else 0.0)
            chosen, switched = self._switched(who, rendition, chance)
            self._manifest(who, form, time, chosen, (has < 0) | switched, has)
            if form != 2:
                self._ask(who[switched], Kind.INIT, time[switched] + step, chosen[switched])
            has = np.maximum(self._newest(who, time), has)
            for place in range(start if turn == 0 else 1):
                self._segments(who, form, time + step * (1 + place), chosen, number + place)
            number = number + (start if turn == 0 else 1)
            time, rendition = time + segment, chosen
            there = time < self._viewers.leave[who]
            who, time, rendition = who[there], time[there], rendition[there]
            number, has = number[there], has[there]


def owned(asked: Asked, owner: Ints) -> Keys:
    """Sorted keys of requests, by whose copy: `owner` has one for each request."""
    keys = (owner.astype(np.int64) << OWNER_SHIFT) | asked.place
    keys.sort()
    return keys


def of_edges(viewers: Viewers, asked: Asked) -> Keys:
    """Sorted keys of requests, by edge."""
    return owned(asked, viewers.edge[asked.viewer])


def only(asked: Asked, which: Bools) -> Asked:
    """Some of the requests."""
    return replace(asked, place=asked.place[which], viewer=asked.viewer[which])
