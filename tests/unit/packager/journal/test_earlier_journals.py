"""Journals that released versions wrote: each folds to the timeline that its version had."""

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import msgspec
import pytest

from packager.journal.compaction import records_of
from packager.journal.format import VERSION, JournalReader, encode
from packager.timeline.apply import fold
from packager.timeline.model import Period, Timeline, TrackTimeline
from packager.timeline.records import EdgeSet, Record
from tests.paths import CORPUS

JOURNALS = sorted((CORPUS / "journal").glob("*.journal"))
KINDS = {
    *("header", "period", "parted", "track", "c", "s", "b", "event", "noevent"),
    *("trim", "end", "carried", "listed", "lost"),
}
"""The tags of version 3."""


def plain(value: object) -> object:
    return str(value) if isinstance(value, Fraction) else value


def of_period(period: Period) -> list[object]:
    anchor = period.anchor
    return [
        *(period.index, period.number, period.filler, period.part),
        [str(anchor.source), anchor.utc, anchor.seen],
        [[each.number, str(each.begin)] for each in period.continuations],
        [msgspec.to_builtins(track, enc_hook=plain) for track in period.tracks.values()],
    ]


def of_track(track: TrackTimeline) -> dict[str, object]:
    return {
        "segments": [
            [
                *(segment.number, segment.period, segment.start, segment.duration),
                *(segment.size, segment.published),
                [[chunk.duration, chunk.size] for chunk in chunks],
            ]
            for segment, chunks in track.segments.rows()
        ],
        "open": [
            *(track.open_number, track.open_period),
            [[chunk.start, chunk.duration, chunk.offset, chunk.size] for chunk in track.open],
        ],
        "longest": track.longest,
        "peak": track.peak,
        "lost": track.last_lost,
    }


def summary(timeline: Timeline) -> dict[str, object]:
    """The content of a journal, independent of this version's names for it."""
    return {
        "channel": timeline.channel,
        "segment": str(timeline.grid.duration),
        "edge": timeline.edge,
        "trimmed": timeline.trimmed,
        "ended": [timeline.ended, timeline.ended_source],
        "events": [[e.name, e.start, e.end, e.pinned] for e in timeline.events.values()],
        "scheduled": dict(timeline.scheduled),
        "periods": [of_period(period) for period in timeline.periods],
        "tracks": {name: of_track(track) for name, track in timeline.tracks.items()},
    }


def read(data: bytes) -> list[Record]:
    reader = JournalReader()
    records = list(reader.feed(data))
    assert (reader.offset, reader.damaged) == (len(data), False)
    return records


@pytest.mark.parametrize("journal", JOURNALS, ids=lambda path: path.stem)
def test_an_earlier_journal_keeps_its_meaning(journal: Path) -> None:
    expected: dict[str, Any] = json.loads(journal.with_suffix(".json").read_text())
    timeline = fold(read(journal.read_bytes()))
    assert summary(timeline) == expected
    again = b"".join(map(encode, records_of(timeline, VERSION)))
    assert summary(fold(read(again))) == expected


def test_a_source_that_ended_before_the_rewrite_is_known() -> None:
    records = read((CORPUS / "journal" / "0.1.0.journal").read_bytes())
    rewritten = next(at for at, record in enumerate(records) if isinstance(record, EdgeSet))
    timeline = fold(records[: rewritten + 1])
    assert (timeline.ended, timeline.ended_source) == (True, "a-file")


def test_one_of_them_has_every_kind_of_record() -> None:
    lines = (CORPUS / "journal" / "0.1.0.journal").read_bytes().splitlines()
    assert {json.loads(line.partition(b" ")[2])[0] for line in lines} == KINDS
