"""The continuation of a journal that was damaged before its end."""

from collections.abc import Iterator
from fractions import Fraction

from msgspec.structs import replace

from packager.journal.compaction import records_of
from packager.journal.format import decode_line
from packager.timeline.apply import apply, fold
from packager.timeline.model import Timeline
from packager.timeline.records import (
    Anchor,
    ChunkAdded,
    EdgeSet,
    EventRemoved,
    EventSet,
    JournalHeader,
    PeriodStarted,
    Record,
    SegmentBundle,
    SegmentEnded,
    SegmentLost,
)


def records_behind(damage: bytes) -> list[Record]:
    """The valid records in the rest of a journal, from its first damaged byte on.

    If there is no such record, the rest is a torn write at the end.
    """
    decoded = map(decode_line, damage.split(b"\n")[:-1])
    return [record for record in decoded if record is not None]


def new_start(intact: Timeline, header: JournalHeader, lost: list[Record]) -> Iterator[Record]:
    """A journal of the `intact` part of a damaged one, whose records `lost` are not applied.

    A segment that is open in the intact part is dropped. It may have ended in `lost`, and its URL
    may only ever mean that segment. No segment number or period index of `lost` is used again,
    nor the next one, which the damaged record may have named. Events in `lost` are applied.
    """
    if not intact.channel:
        intact = apply(intact, header)
    tracks = {name: replace(t, open=(), open_number=-1) for name, t in intact.tracks.items()}
    ordered = [r for r in lost if isinstance(r, EventSet | EventRemoved)]
    known = fold(ordered, replace(intact, tracks=tracks))
    yield from records_of(known, header.version)
    periods = [r.index for r in lost if isinstance(r, PeriodStarted)]
    periods += [r.period for r in lost if isinstance(r, SegmentBundle)]
    periods += [period.index for period in intact.periods]
    number = max([*map(_number_of, lost), intact.last_occupied]) + 2
    utc = intact.grid.micros(number)
    yield PeriodStarted(max(periods, default=-1) + 2, number, Anchor(Fraction(0), utc, utc))


def _number_of(record: Record) -> int:
    """The highest segment number that a record names; -1 if it names none."""
    match record:
        case SegmentBundle(segments=packed):
            return packed.number + sum(packed.steps)
        case PeriodStarted() | ChunkAdded() | SegmentEnded() | SegmentLost() | EdgeSet():
            return record.number
        case _:
            return -1
