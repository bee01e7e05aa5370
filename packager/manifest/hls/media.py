"""The media playlist of one track (RFC 8216bis section 4.4.3 and 4.4.4)."""

from collections.abc import Iterator
from fractions import Fraction

from packager.layout import InitName, SegmentName
from packager.ticks import iso8601, micros_of, round_half_up, seconds
from packager.timeline import Segment
from packager.window import Window, WindowTrack

_DIGITS = 6


def render(window: Window, track: WindowTrack) -> bytes:
    """The playlist of `track`; URLs are relative to the track's folder."""
    lines = ["#EXTM3U", "#EXT-X-VERSION:8", f"#EXT-X-TARGETDURATION:{_target(window, track)}"]
    lines.append(f"#EXT-X-MEDIA-SEQUENCE:{window.first}")
    lines.append(f"#EXT-X-DISCONTINUITY-SEQUENCE:{track.segments[0].period}")
    lines.extend(_entries(window, track))
    if window.ended:
        lines.append("#EXT-X-ENDLIST")
    return ("\n".join(lines) + "\n").encode()


def _target(window: Window, track: WindowTrack) -> int:
    """Seconds no segment's rounded duration exceeds; never shrinks (section 4.4.3.1)."""
    longest = Fraction(track.longest, track.latest.timescale)
    return round_half_up(max(longest, window.grid.duration))


def _entries(window: Window, track: WindowTrack) -> Iterator[str]:
    expected = window.first
    previous: Segment | None = None
    for segment in track.segments:
        gap = range(expected, segment.number)
        yield from _gaps(window, gap)
        yield from _breaks(window, track, previous, segment, after_gap=bool(gap))
        timescale = window.track_of(track.latest.id, segment).timescale
        yield f"#EXTINF:{seconds(Fraction(segment.duration, timescale), _DIGITS)},"
        yield str(SegmentName(segment.number))
        previous, expected = segment, segment.number + 1
    yield from _gaps(window, range(expected, window.last + 1))


def _gaps(window: Window, numbers: range) -> Iterator[str]:
    """Entries that keep the media sequence counting over what is not there (4.4.4.7)."""
    for number in numbers:
        if number == numbers.start:
            yield f"#EXT-X-PROGRAM-DATE-TIME:{iso8601(window.grid.micros(number))}"
        yield "#EXT-X-GAP"
        yield f"#EXTINF:{seconds(window.grid.duration, _DIGITS)},"
        yield str(SegmentName(number))


def _breaks(
    window: Window,
    track: WindowTrack,
    previous: Segment | None,
    segment: Segment,
    *,
    after_gap: bool,
) -> Iterator[str]:
    """What has to be said before `segment` because it does not just continue `previous`."""
    description = window.track_of(track.latest.id, segment)
    broken = previous is None or previous.period != segment.period
    if previous is not None:
        # The discontinuity sequence is the period's index: one tag for each period passed.
        yield from ["#EXT-X-DISCONTINUITY"] * (segment.period - previous.period)
    if broken:
        yield f'#EXT-X-MAP:URI="{InitName(description.version)}"'
    if broken or after_gap:
        start = iso8601(micros_of(segment.start, description.timescale))
        yield f"#EXT-X-PROGRAM-DATE-TIME:{start}"
