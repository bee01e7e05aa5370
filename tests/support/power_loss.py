"""A channel as a power loss may leave it, and what has to be true once it goes on."""

import re
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from origin.runtime.follow import FollowedChannel
from packager.fold import fold
from packager.journal import Reader
from packager.layout import JOURNAL, SegmentName
from packager.manifest.dash import mpd
from packager.manifest.hls import media
from packager.manifest.smooth import client_manifest
from packager.records import ChunkAdded, EventSet, PeriodStarted, Record
from packager.runtime.journal_writer import JournalWriter
from packager.runtime.publisher import Publisher
from packager.ticks import UtcMicros
from packager.timeline import Timeline
from packager.window import rolling
from tests.feeds import Played, audio_track, in_media_order, play, video_track
from tests.support.channel import GRID, Packager, packager, publish

TRACKS = ("v0", "a0")
Name = tuple[str, int]
"""Of a segment: its track and number."""
GONE = -1
"""The length of a file that is not there."""


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
        """Bytes that are left of a segment; of one that was trimmed there are none."""
        return damage.get((track, number), len(self.media.get((track, number), b"")))

    @property
    def after(self) -> UtcMicros:
        """A moment at which the power is back."""
        return GRID.micros(max(self.numbers) + 5)


def before(data: Path) -> Before:
    """Two periods, a hole within the first, an event, a segment open in each track."""
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
    return Before(journal, media, tuple(Reader().feed(journal)))


def lengths(size: int) -> Sequence[int]:
    """Of a file of `size` bytes in two chunks, where something may be wrong with one."""
    return GONE, 0, 1, size // 2 - 1, size // 2, size // 2 + 1, size - 1, size


def lay(folder: Path, was: Before, damage: Mapping[Name, int]) -> None:
    """The channel's files, some of them of other lengths."""
    for (track, number), data in was.media.items():
        path = folder / track / str(SegmentName(number))
        path.parent.mkdir(parents=True, exist_ok=True)
        length = damage.get((track, number), len(data))
        if length != GONE:
            path.write_bytes(data[:length])


def survive(folder: Path, was: Before, cut: int, damage: Mapping[Name, int]) -> None:
    """Cut the journal at a byte and files to lengths, start again, check what must be true.

    Three follow: one had read all of the journal, one a part of what is left, one nothing.
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
    legal = fold(Reader().feed(was.journal[:cut]))
    with closing(JournalWriter(folder, "tv", GRID.duration)) as writer:
        assert writer.set_aside is None
        publisher = Publisher("tv", folder, writer, makes_room=False)
        publisher.mend()
        publisher.end_open_segments(was.after)
        publisher.sweep()
        _has_what_is_left(writer.timeline, legal, was, damage)
        behind.catch_up()
        assert behind.timeline == writer.timeline
        first = _go_on(Packager(folder, GRID, writer, publisher.store), was)
        assert first > max(was.numbers)
        assert publisher.mend() == []
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
    _is_told(after)


def _has_what_is_left(
    mended: Timeline, legal: Timeline, was: Before, damage: Mapping[Name, int]
) -> None:
    """No segment is lost but those whose files are short, and of an open one what is whole."""
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
    """Whatever is named is in the store, and nothing else is."""
    named = {
        folder / track.id / str(SegmentName(segment.number)): segment.size
        for track in timeline.tracks.values()
        for segment in track.segments
    }
    assert set(folder.glob("*/*.m4s")) == set(named)
    for path, size in named.items():
        assert path.stat().st_size >= size


def _is_told(timeline: Timeline) -> None:
    """All three formats name what there is, and what is not there is a gap."""
    window = rolling(timeline, 1000)
    assert window is not None
    assert mpd.render(window, mpd.Places("time")).plain()
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
