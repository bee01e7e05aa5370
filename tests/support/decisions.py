"""Channels made by hand, and plans for requests of their files."""

from collections.abc import Iterator
from fractions import Fraction

from origin.decision.channel_state import ChannelSnapshot
from origin.decision.decide import decide
from origin.decision.plan import (
    Freshness,
    Plan,
    Refuse,
    ServeFragment,
    ServeInit,
    ServeManifest,
    ServeMedia,
)
from origin.urls.request import (
    parse,
)
from origin.urls.view import canonical, path_of
from packager.journal.format import VERSION
from packager.manifest.window import Window
from packager.timeline.apply import fold
from packager.timeline.model import Timeline
from packager.timeline.records import (
    EventSet,
    JournalHeader,
    Record,
)
from packager.timing.ticks import UtcMicros
from tests.support.channel import FIRST, GRID, Script
from tests.support.made_feeds import START
from tests.support.strategies import described

HALF = Fraction(24, 25)
N = FIRST
"""The first segment of the made-up channels."""
CHANNEL = "/live/tv"

LATER = Refuse(404, "not there yet", Freshness.SOON)
SMOOTH_LATER = Refuse(412, "not there yet", Freshness.SOON)
NOTHING_NEW = Refuse(404, "nothing is new", Freshness.SOON)
KEPT = Fraction(3600)


SCRIPT = Script(GRID)
period, chunks, whole, fragment = SCRIPT.period, SCRIPT.chunks, SCRIPT.whole, SCRIPT.fragment


def started() -> Timeline:
    return fold([JournalHeader(VERSION, "tv", GRID.duration), *period(0, N)])


def live(*numbers: int) -> Timeline:
    return fold(whole(*numbers), started())


def asked(file: str, timeline: Timeline | None, now: int | None = None) -> Plan:
    """The plan for a file of the channel at `now`; by default its edge is fresh."""
    if now is None:
        now = timeline.grid.micros(timeline.edge + 2) if timeline else START
    view = ChannelSnapshot(timeline, Fraction(20), KEPT) if timeline else None
    return decide(parse(f"{CHANNEL}/{file}"), view, UtcMicros(now))


def media(plan: Plan) -> ServeMedia:
    assert isinstance(plan, ServeMedia), plan
    return plan


def stored(plan: Plan) -> ServeInit | ServeMedia:
    assert isinstance(plan, ServeInit | ServeMedia), plan
    return plan


def refused(plan: Plan) -> Refuse:
    assert isinstance(plan, Refuse), plan
    return plan


def fragment_of(plan: Plan) -> ServeFragment:
    assert isinstance(plan, ServeFragment), plan
    return plan


def in_chunks(count: int) -> Timeline:
    """A timeline with a whole segment N of four chunks and the first `count` chunks of N + 1."""
    timeline = fold(whole(N, of=4), started())
    return fold(chunks(N + 1, described("v0"), count, 4), timeline)


def in_two_chunks() -> Iterator[Record]:
    yield from chunks(N + 1, described("v0"), 2, 4)


def served(path: str, timeline: Timeline, depth: int) -> Plan:
    view = ChannelSnapshot(timeline, depth * timeline.grid.duration, KEPT)
    return decide(parse(path), view, timeline.grid.micros(timeline.edge + 1))


def path_from(first: int, last: int | None = None) -> str:
    end = None if last is None else GRID.micros(last + 1)
    return path_of(canonical(GRID.micros(first), end, GRID))


def window_of(plan: Plan) -> Window:
    assert isinstance(plan, ServeManifest), plan
    return plan.window


def held(plan: Plan) -> list[int]:
    """The numbers of the segments of v0 in a manifest."""
    (track,) = (t for t in window_of(plan).tracks if t.latest.id == "v0")
    return [segment.number for segment in track.segments]


def event(first: int, last: int | None = None, *, pinned: bool = False) -> EventSet:
    end = None if last is None else GRID.micros(last + 1)
    return EventSet("fight", GRID.micros(first), end, pinned)
