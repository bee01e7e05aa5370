"""The media playlist of one track (RFC 8216bis sections 4.4.3 and 4.4.4)."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil

from packager.config.parts import HELD_BACK
from packager.layout import ChunkName
from packager.manifest.hls.entries import DIGITS, EntryWriter, first_period, joined
from packager.manifest.incremental import CompressedBlock, ListCaches, ListSlice, ManifestText
from packager.manifest.window import OpenSegment, Window, WindowTrack
from packager.timing.ticks import MICROS, round_half_up, seconds

_STEP = Fraction(3, 2)
_LEEWAY = Fraction(1, 20)
"""Seconds that a codec's frames may miss the grid."""
_SKIP_BOUNDARY = 12
"""Target durations behind the end that a delta update always lists. Section 4.4.3.8 requires at
least six; a player's copy may be half as old."""
_SKIP_BOUNDARY_OF_PARTS = 6
"""The same for a playlist that is loaded again with each part: the minimum of section 4.4.3.8."""
_LONG = 4
"""Skip boundaries in a window from which on delta updates are offered."""
_IN_PARTS = 3
"""Target durations behind the end in which parts are listed (section 4.4.4.9)."""


@dataclass(frozen=True, slots=True)
class _Limits:
    """Durations of a playlist, in seconds."""

    target: int
    boundary: int
    """The skip boundary."""
    skippable: bool
    """Whether delta updates are offered."""


def render(
    window: Window,
    track: WindowTrack,
    folder: str = "",
    cache: ListCaches | None = None,
    *,
    skip: bool = False,
) -> ManifestText:
    """The playlist of `track`; `folder` is the URL of the track's media, relative to it.

    `skip`: as a delta update (section 6.2.5.1), if that leaves out any segment.
    """
    limits = _limits(window, skip=skip)
    writer = EntryWriter(window, track, folder)
    head = list(_head(window, limits))
    tail = ["#EXT-X-ENDLIST"] if window.ended else []
    last = window.last
    if window.open_segment is not None:
        last -= ceil(_IN_PARTS * limits.target / window.grid.duration)
        tail += _in_parts(writer, window.open_segment, last + 1)
    first = window.last - ceil(limits.boundary / window.grid.duration)
    if skip and limits.skippable and first > window.first:
        head.append(f"#EXT-X-SKIP:SKIPPED-SEGMENTS={first - window.first}")
        # A player's first playlist may be a delta update: it has the init section too.
        place = replace(writer.place_at(first), described=-1)
        entries = writer.entries(place, first, last)
        return ManifestText([_block([*head, *entries, *tail])])
    if last < track.segments[0].number:
        return ManifestText([_block([*head, *tail])])
    caches, key = cache or ListCaches(), ("hls", track.latest.id, folder)
    listed = caches.of(*key).cut(_list_of(writer, last))
    return caches.text((*key, window.first), [_block(head), *listed, _block(tail)])


def _limits(window: Window, *, skip: bool) -> _Limits:
    target, in_parts = _target(window), window.open_segment is not None
    boundary = (_SKIP_BOUNDARY_OF_PARTS if in_parts else _SKIP_BOUNDARY) * target
    least = boundary if in_parts else _LONG * boundary
    is_long = window.depth is None or window.depth * window.grid.duration > least
    # An ended playlist is the same for all viewers, unless the request asks for a delta update.
    return _Limits(target, boundary, is_long and (skip or not window.ended))


def _head(window: Window, limits: _Limits) -> Iterator[str]:
    """The tags before the first entry."""
    yield "#EXTM3U"
    yield f"#EXT-X-VERSION:{9 if limits.skippable else 8}"
    yield f"#EXT-X-TARGETDURATION:{limits.target}"
    boundary = limits.boundary if limits.skippable else None
    yield from _server_control(window.open_segment, boundary)
    if window.stays:
        yield "#EXT-X-PLAYLIST-TYPE:EVENT"
    yield f"#EXT-X-MEDIA-SEQUENCE:{window.first}"
    yield f"#EXT-X-DISCONTINUITY-SEQUENCE:{first_period(window)}"


def _server_control(open_segment: OpenSegment | None, boundary: int | None) -> Iterator[str]:
    """The delivery directives that are supported (4.4.3.8), and the duration of parts (4.4.3.7)."""
    attributes: list[str] = []
    if open_segment is not None:
        held = seconds(Fraction(HELD_BACK * open_segment.target, MICROS), DIGITS)
        attributes += ["CAN-BLOCK-RELOAD=YES", f"PART-HOLD-BACK={held}"]
    if boundary is not None:
        attributes.append(f"CAN-SKIP-UNTIL={boundary}.0")
    if attributes:
        yield f"#EXT-X-SERVER-CONTROL:{','.join(attributes)}"
    if open_segment is not None:
        target = seconds(Fraction(open_segment.target, MICROS), DIGITS)
        yield f"#EXT-X-PART-INF:PART-TARGET={target}"


def _in_parts(writer: EntryWriter, open_segment: OpenSegment, first: int) -> Iterator[str]:
    """The entries from segment `first` on with their parts, and the hints after them."""
    window = writer.window
    if first <= writer.track.segments[0].number:
        first, place = window.first, writer.first_place
    else:
        place = writer.place_at(first)
    yield from writer.entries(place, first, window.last, in_parts=True)
    following = ChunkName(open_segment.number, len(open_segment.chunks))
    yield f'#EXT-X-PRELOAD-HINT:TYPE=PART,URI="{writer.folder}{following}"'
    for other in open_segment.others:
        uri = f"../{other.track}/index.m3u8"
        last = f"LAST-MSN={other.number},LAST-PART={other.chunk}"
        yield f'#EXT-X-RENDITION-REPORT:URI="{uri}",{last}'


def _block(lines: Iterable[str]) -> CompressedBlock:
    return CompressedBlock(joined(lines).encode())


def _list_of(writer: EntryWriter, last: int) -> ListSlice:
    """The entries up to segment `last`."""

    def lead(first: int, last: int) -> str:
        return joined(writer.entries(writer.first_place, first, last))

    def middle(first: int, last: int) -> str:
        return joined(writer.entries(writer.place_at(first), first, last))

    segments = writer.track.segments
    newest = min(segments[-1].number, last)
    return ListSlice(
        first=writer.window.first,
        # The first entry with media names the init section.
        lead_until=segments[0].number,
        last=last,
        settled=newest,
        known=newest,
        render_lead=lead,
        render=middle,
        by_segment=True,
    )


def _target(window: Window) -> int:
    """The target duration: seconds that no rounded segment duration exceeds (section 4.4.3.1).

    It must not change, but the distance of keyframes of a feed that is passed through is not known
    before. So it grows in large steps, and for all tracks at once.
    """
    longest = Fraction(max(track.longest for track in window.tracks), MICROS)
    target = window.grid.duration
    while target + _LEEWAY < longest:
        target *= _STEP
    return round_half_up(max(target, longest))
