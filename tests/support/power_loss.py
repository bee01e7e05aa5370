"""A channel after a power loss, and the properties that it must have after the restart."""

import re
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from origin.runtime.journal.follower import FollowedChannel
from packager.journal.format import JournalReader
from packager.layout import JOURNAL, SegmentName
from packager.manifest.dash import mpd
from packager.manifest.hls import media
from packager.manifest.smooth import client_manifest
from packager.manifest.window import rolling
from packager.runtime.storage.journal_writer import JournalWriter
from packager.runtime.storage.publisher import Publisher
from packager.timeline.apply import fold
from packager.timeline.model import Timeline
from packager.timeline.records import ChunkAdded, EventSet, PeriodStarted, Record
from packager.timing.ticks import UtcMicros
from tests.support.channel import GRID, Packager, packager, publish
from tests.support.made_feeds import Played, audio_track, in_media_order, play, video_track

TRACKS = ("v0", "a0")
Name = tuple[str, int]
"""Track and number of a segment."""
GONE = -1
"""The length that stands for a missing file."""


@dataclass(frozen=True)
class Before:
    """A channel as it was when the power went."""

    journal: bytes
    media: Mapping[Name, bytes]
    records: tuple[Record, ...]

    @property
    def numbers(self) -> set[int]:
        return {record.number for record in self.records if isinstance(record, ChunkAdded)}

    @property
    def newest_period(self) -> int:
        return max(r.index for r in self.records if isinstance(r, PeriodStarted))

    def there(self, track: str, number: int, damage: "Mapping[Name, int]") -> int:
        """Remaining bytes of a segment; 0 for a trimmed one."""
        return damage.get((track, number), len(self.media.get((track, number), b"")))

    @property
    def after(self) -> UtcMicros:
        """The time of the restart."""
        return GRID.micros(max(self.numbers) + 5)


def before(data: Path) -> Before:
    """Two periods, a gap in the first, an event, and an open segment in each track."""
    made = packager(data)
    made.begin(0, made.first)
    for step in (0, 1, 2, 5, 6, 7):
        made.whole(made.first + step, size=60)
    start = made.grid.micros(made.first + 1)
    made.note(EventSet("match", start))
    made.trim(made.first + 3)
    made.begin(1, made.first + 10)
    for step in range(10, 18):
        made.whole(made.first + step, size=60)
    for track in TRACKS:
        made.chunk(track, made.first + 18, 0, 60)
    made.chunk("v0", made.first + 18, 1, 60)
    made.store.close_all()
    made.journal.close()
    media = {
        (path.parent.name, int(path.stem)): path.read_bytes()
        for path in made.folder.glob("*/*.m4s")
    }
    journal = (made.folder / JOURNAL).read_bytes()
    return Before(journal, media, tuple(JournalReader().feed(journal)))


def lengths(size: int) -> Sequence[int]:
    """The lengths to try for a file of `size` bytes in two chunks, a missing file included."""
    return GONE, 0, 1, size // 2 - 1, size // 2, size // 2 + 1, size - 1, size


def lay(folder: Path, was: Before, damage: Mapping[Name, int]) -> None:
    """Write the channel's files, some with the lengths of `damage`."""
    for (track, number), data in was.media.items():
        path = folder / track / str(SegmentName(number))
        path.parent.mkdir(parents=True, exist_ok=True)
        length = damage.get((track, number), len(data))
        if length != GONE:
            path.write_bytes(data[:length])


def survive(folder: Path, was: Before, cut: int, damage: Mapping[Name, int]) -> None:
    """Cut the journal at a byte and files to lengths, start again, and check the properties.

    Three followers take part. Before the restart, `ahead` has read all of the journal,
    `behind` half of the part that stays, and `fresh` nothing.
    """
    lay(folder, was, damage)
    journal = folder / JOURNAL
    ahead, behind, fresh = (
        FollowedChannel("tv", folder, Fraction(60), Fraction(600)) for _ in range(3)
    )
    journal.write_bytes(was.journal[: cut // 2])
    behind.catch_up()
    journal.write_bytes(was.journal)
    ahead.catch_up()
    journal.write_bytes(was.journal[:cut])
    legal = fold(JournalReader().feed(was.journal[:cut]))
    with closing(JournalWriter(folder, "tv", GRID.duration)) as writer:
        assert writer.set_aside is None
        publisher = Publisher("tv", folder, writer, makes_room=False)
        publisher.record_losses()
        publisher.end_open_segments(was.after)
        publisher.sweep()
        _has_what_is_left(writer.timeline, legal, was, damage)
        behind.catch_up()
        assert behind.timeline == writer.timeline
        first = _go_on(Packager(folder, GRID, writer, publisher.store), was)
        assert first > max(was.numbers)
        assert publisher.record_losses() == []
        publisher.store.close_all()
        after = writer.timeline
        for follower in (ahead, behind, fresh):
            follower.catch_up()
            assert follower.timeline == after
            follower.close()
    periods = [period.index for period in after.periods]
    assert periods[:-1] == [period.index for period in legal.periods]
    assert periods == sorted(set(periods))
    _is_whole(folder, after)
    _is_listed(after)


def _has_what_is_left(
    mended: Timeline, legal: Timeline, was: Before, damage: Mapping[Name, int]
) -> None:
    """Only segments with short files are lost; an open segment keeps its whole chunks."""
    for name, track in legal.tracks.items():
        now = mended.tracks[name].segments
        kept = []
        for segment, chunks in track.segments.rows():
            there = was.there(name, segment.number, damage)
            if there >= segment.size:
                kept.append((segment, chunks))
        whole = [row for row in now.rows() if row[0].number != track.open_number]
        assert whole == kept
        if track.open:
            number = track.open_number
            there = was.there(name, number, damage)
            chunks = tuple(c for c in track.open if c.offset + c.size <= there)
            ended = now.numbered(number)
            assert (ended is None) == (not chunks)
            assert ended is None or now.chunks(now.index_of(number)) == chunks


def _go_on(made: Packager, was: Before) -> int:
    """Publish a new period of a feed; the number that it begins with."""
    tracks = video_track(0, Fraction(25), range(0, 96, 48), 96, [24]), audio_track(0, 180, [45])
    played = Played(timeline=made.journal.timeline)
    play(played, tracks, in_media_order(tracks), on_grid=True, base=was.after)
    publish(made, played, start=0)
    return min(record.number for record in played.records if isinstance(record, ChunkAdded))


def _is_whole(folder: Path, timeline: Timeline) -> None:
    """The store holds exactly the segments of the timeline."""
    named = {
        folder / track.id / str(SegmentName(segment.number)): segment.size
        for track in timeline.tracks.values()
        for segment in track.segments
    }
    assert set(folder.glob("*/*.m4s")) == set(named)
    for path, size in named.items():
        assert path.stat().st_size >= size


def _is_listed(timeline: Timeline) -> None:
    """All three formats list the existing segments and mark the missing ones as gaps."""
    window = rolling(timeline, 1000)
    assert window is not None
    assert mpd.render(window, mpd.UrlTemplates("time")).plain()
    assert client_manifest.render(window).plain()
    for track in window.tracks:
        text = media.render(window, track).plain().decode()
        listed = [int(found) for found in re.findall(r"^(\d+)\.m4s$", text, re.MULTILINE)]
        assert listed == list(range(window.first, timeline.edge + 1))
        gaps = {int(found) for found in re.findall(r"GAP\n#EXTINF.*\n(\d+)\.m4s", text)}
        assert set(listed) - gaps == {segment.number for segment in track.segments}
        (sequence,) = re.findall(r"#EXT-X-DISCONTINUITY-SEQUENCE:(\d+)", text)
        passed = text.count("#EXT-X-DISCONTINUITY\n")
        assert int(sequence) + passed == timeline.periods[-1].index
