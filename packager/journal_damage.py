"""How a journal goes on that was damaged before its end."""

from collections.abc import Iterator
from fractions import Fraction

from msgspec.structs import replace

from packager.fold import apply, fold
from packager.journal import decode_line
from packager.records import (
    Anchor,
    Bundle,
    ChunkAdded,
    EventRemoved,
    EventSet,
    Header,
    Listed,
    Lost,
    PeriodStarted,
    Record,
    SegmentEnded,
)
from packager.rewrite import records_of
from packager.timeline import Timeline


def records_behind(damage: bytes) -> list[Record]:
    """The whole records in the rest of a journal, from its first damaged byte on.

    Where there is none, the rest is a torn end, and nothing is behind it.
    """
    decoded = map(decode_line, damage.split(b"\n")[:-1])
    return [record for record in decoded if record is not None]


def new_start(sound: Timeline, header: Header, lost: list[Record]) -> Iterator[Record]:
    """A journal of what is whole in the `sound` part of one where `lost` cannot count.

    A segment that is open there may have ended in `lost`: its URL may only ever mean that.
    No number and no index of a period that is in `lost` comes again, nor the next: the damaged
    record may have named that. Events stand for themselves.
    """
    if not sound.channel:
        sound = apply(sound, header)
    tracks = {name: replace(t, open=(), open_number=-1) for name, t in sound.tracks.items()}
    ordered = [r for r in lost if isinstance(r, EventSet | EventRemoved)]
    told = fold(ordered, replace(sound, tracks=tracks))
    yield from records_of(told, header.version)
    periods = [r.index for r in lost if isinstance(r, PeriodStarted)]
    periods += [r.period for r in lost if isinstance(r, Bundle)]
    periods += [period.index for period in sound.periods]
    number = max([*map(_number_of, lost), sound.reached]) + 2
    utc = sound.grid.micros(number)
    yield PeriodStarted(max(periods, default=-1) + 2, number, Anchor(Fraction(0), utc, utc))


def _number_of(record: Record) -> int:
    """The highest segment number that it names; -1 where it names none."""
    match record:
        case Bundle(segments=packed):
            return packed.number + sum(packed.steps)
        case PeriodStarted() | ChunkAdded() | SegmentEnded() | Lost() | Listed():
            return record.number
        case _:
            return -1
