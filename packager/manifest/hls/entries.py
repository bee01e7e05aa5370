"""The entries of a media playlist: segments, parts and gaps (RFC 8216bis section 4.4.4)."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

from packager.layout import ChunkName, InitName, SegmentName
from packager.manifest.window import Window, WindowTrack
from packager.timeline.segment_table import Chunk
from packager.timing.ticks import MICROS, UtcMicros, iso8601, micros_of, seconds
from packager.track import Track, TrackKind

DIGITS = 6
"""Decimals of a duration in seconds."""
_SHORTEST_GAP = 1000
"""Microseconds of a gap's entry if the media before it covers the gap."""


@dataclass(frozen=True, slots=True)
class EntryPlace:
    """The state of a playlist before an entry."""

    period: int
    """Index of the period of the entry before."""
    described: int = -1
    """Index of the period whose init section was named last; -1 if none was."""
    end: UtcMicros = UtcMicros(0)  # noqa: RUF009 - it never changes
    """End of the media and gaps before the entry."""


class _EntryMedia(NamedTuple):
    """The media of one entry, in ticks."""

    period: int
    start: int
    duration: int | None
    """None while the segment is in progress."""
    chunks: Iterable[Chunk]


@dataclass(frozen=True, slots=True)
class EntryWriter:
    """Renders the entries of one track."""

    window: Window
    track: WindowTrack
    folder: str
    """URL of the track's media, relative to the playlist."""

    @property
    def first_place(self) -> EntryPlace:
        """The place of the window's first entry."""
        return EntryPlace(first_period(self.window))

    def place_at(self, number: int) -> EntryPlace:
        """The place of the entry `number`, which is not the window's first."""
        period = max(p.index for p in self.window.periods.values() if p.number < number)
        index = self.track.segments.index_of(number) - 1
        if index < 0:
            return EntryPlace(period)
        before = self.track.segments[index]
        timescale = self.window.track_of(self.track.latest.id, before).timescale
        gaps = number - before.number - 1
        end = UtcMicros(micros_of(before.end, timescale) + gaps * _SHORTEST_GAP)
        return EntryPlace(period, before.period, end)

    def entries(
        self, place: EntryPlace, first: int, last: int, *, in_parts: bool = False
    ) -> Iterator[str]:
        """The lines of one entry per number from `first`, which is at `place`, to `last`.

        All tracks list the same numbers, and start their periods at the same ones. `in_parts`: with
        the parts of each segment, and those of the segment in progress.
        """
        window = self.window
        starts = {period.number: period.index for period in window.periods.values()}
        known = self._media(first, last, in_parts=in_parts)
        period, described, end = place.period, place.described, place.end
        for number in range(first, max([last, *known]) + 1):
            # The discontinuity sequence is the period's index: a tag for each period that starts.
            started = starts.get(number, period) - period
            yield from ["#EXT-X-DISCONTINUITY"] * started
            period += started
            media = known.get(number)
            if media is None:
                begin = max(end, window.grid.micros(number))
                end = max(window.grid.micros(number + 1), UtcMicros(begin + _SHORTEST_GAP))
                yield from _gap(begin, end)
                yield f"{self.folder}{SegmentName(number)}"
                continue
            track = window.periods[media.period].tracks[self.track.latest.id]
            if described != period:
                yield f'#EXT-X-MAP:URI="{self.folder}{InitName(track.version)}"'
                described = period
            yield from self._segment(number, media, track)
            if media.duration is not None:
                end = micros_of(media.start + media.duration, track.timescale)

    def _media(self, first: int, last: int, *, in_parts: bool) -> dict[int, _EntryMedia]:
        """The media of the numbers from `first` to `last`, and of the segment in progress."""
        segments = self.track.segments
        media = {
            segment.number: _EntryMedia(
                segment.period,
                segment.start,
                segment.duration,
                segments.chunks(index) if in_parts else (),
            )
            for index, segment in enumerate(segments.between(first, last), segments.index_of(first))
        }
        open_segment = self.window.open_segment
        if in_parts and open_segment is not None and open_segment.chunks:
            chunks = open_segment.chunks
            media[open_segment.number] = _EntryMedia(
                open_segment.period, chunks[0].start, None, chunks
            )
        return media

    def _segment(self, number: int, media: _EntryMedia, track: Track) -> list[str]:
        """The lines of one segment, which `track` describes."""
        # A date for every segment: after a reload Shaka Player 5.2 computes wrong dates for new
        # segments behind a discontinuity.
        lines = [_date(micros_of(media.start, track.timescale))]
        lines += self._parts(number, media.chunks, track)
        if media.duration is not None:
            length = Fraction(media.duration, track.timescale)
            lines.append(f"#EXTINF:{seconds(length, DIGITS)},")
            lines.append(f"{self.folder}{SegmentName(number)}")
        return lines

    def _parts(self, number: int, chunks: Iterable[Chunk], track: Track) -> Iterator[str]:
        """The parts of a segment (4.4.4.9): the first, and all of audio, start with a keyframe."""
        for index, chunk in enumerate(chunks):
            length = seconds(Fraction(chunk.duration, track.timescale), DIGITS)
            is_independent = not index or track.kind is TrackKind.AUDIO
            independent = ",INDEPENDENT=YES" if is_independent else ""
            uri = f"{self.folder}{ChunkName(number, index)}"
            yield f'#EXT-X-PART:DURATION={length},URI="{uri}"{independent}'


def first_period(window: Window) -> int:
    """Index of the period of a window's first number."""
    return max(p.index for p in window.periods.values() if p.number <= window.first)


def joined(lines: Iterable[str]) -> str:
    """The text of `lines`."""
    return "".join(f"{line}\n" for line in lines)


def _gap(begin: UtcMicros, end: UtcMicros) -> Iterator[str]:
    """The tags of an entry without media, which keeps the media sequence counting (4.4.4.7).

    It starts at the end of the media before, so that durations add up to the time that passes.
    """
    yield _date(begin)
    yield "#EXT-X-GAP"
    yield f"#EXTINF:{seconds(Fraction(end - begin, MICROS), DIGITS)},"


def _date(instant: UtcMicros) -> str:
    return f"#EXT-X-PROGRAM-DATE-TIME:{iso8601(instant)}"
