"""The media playlist of one track (RFC 8216bis section 4.4.3 and 4.4.4)."""

from collections.abc import Iterator
from fractions import Fraction

from packager.layout import InitName, SegmentName
from packager.ticks import MICROS, UtcMicros, iso8601, micros_of, round_half_up, seconds
from packager.window import Window, WindowTrack

_DIGITS = 6
_STEP = Fraction(3, 2)
_LEEWAY = Fraction(1, 20)
"""Seconds that the frames of a codec may miss the grid by."""
_SHORTEST_GAP = 1000
"""Microseconds of an entry for a hole that the media before it reaches over."""


def render(window: Window, track: WindowTrack, folder: str = "") -> bytes:
    """The playlist of `track`; `folder` leads from it to the track's media."""
    lines = ["#EXTM3U", "#EXT-X-VERSION:8", f"#EXT-X-TARGETDURATION:{_target(window)}"]
    if window.stays:
        lines.append("#EXT-X-PLAYLIST-TYPE:EVENT")
    lines.append(f"#EXT-X-MEDIA-SEQUENCE:{window.first}")
    lines.append(f"#EXT-X-DISCONTINUITY-SEQUENCE:{_first_period(window)}")
    lines.extend(_entries(window, track, folder))
    if window.ended:
        lines.append("#EXT-X-ENDLIST")
    return ("\n".join(lines) + "\n").encode()


def _target(window: Window) -> int:
    """Seconds that no segment's rounded duration exceeds (section 4.4.3.1).

    It must not change, but how far apart the keyframes of a feed that is passed through can be is
    not known before. So it goes by large steps, and for all tracks at once.
    """
    longest = Fraction(max(track.longest for track in window.tracks), MICROS)
    target = window.grid.duration
    while target + _LEEWAY < longest:
        target *= _STEP
    return round_half_up(max(target, longest))


def _first_period(window: Window) -> int:
    return max(p.index for p in window.periods.values() if p.number <= window.first)


def _entries(window: Window, track: WindowTrack, folder: str) -> Iterator[str]:
    """An entry a number: every track lists the same ones, and its periods from the same ones on."""
    starts = {period.number: period.index for period in window.periods.values()}
    segments = {segment.number: segment for segment in track.segments}
    period, described = _first_period(window), -1
    end = UtcMicros(0)
    for number in range(window.first, window.last + 1):
        # The discontinuity sequence is the period's index: one tag for each period passed.
        passed = starts.get(number, period) - period
        yield from ["#EXT-X-DISCONTINUITY"] * passed
        period += passed
        segment = segments.get(number)
        if segment is None:
            begin = max(end, window.grid.micros(number))
            end = max(window.grid.micros(number + 1), UtcMicros(begin + _SHORTEST_GAP))
            yield from _gap(begin, end)
            yield f"{folder}{SegmentName(number)}"
            continue
        description = window.track_of(track.latest.id, segment)
        if described != period:
            yield f'#EXT-X-MAP:URI="{folder}{InitName(description.version)}"'
            described = period
        # Of every segment: Shaka Player 5.2 loses its place behind a discontinuity where it has to
        # work out the date of a segment that a reload brings.
        yield _date(micros_of(segment.start, description.timescale))
        length = Fraction(segment.duration, description.timescale)
        yield f"#EXTINF:{seconds(length, _DIGITS)},"
        yield f"{folder}{SegmentName(number)}"
        end = micros_of(segment.end, description.timescale)


def _gap(begin: UtcMicros, end: UtcMicros) -> Iterator[str]:
    """An entry that keeps the media sequence counting over what is not there (4.4.4.7).

    It begins where the media before it ends, so that durations add up to the time that passed.
    """
    yield _date(begin)
    yield "#EXT-X-GAP"
    yield f"#EXTINF:{seconds(Fraction(end - begin, MICROS), _DIGITS)},"


def _date(instant: UtcMicros) -> str:
    return f"#EXT-X-PROGRAM-DATE-TIME:{iso8601(instant)}"
