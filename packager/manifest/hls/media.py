"""The media playlist of one track (RFC 8216bis section 4.4.3 and 4.4.4)."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil

from packager.columns import Chunk
from packager.latency import HELD_BACK
from packager.layout import ChunkName, InitName, SegmentName
from packager.manifest.text import Passage, Piece, Tapes, Text
from packager.ticks import MICROS, UtcMicros, iso8601, micros_of, round_half_up, seconds
from packager.track import Track, TrackKind
from packager.window import Tip, Window, WindowTrack

_DIGITS = 6
_STEP = Fraction(3, 2)
_LEEWAY = Fraction(1, 20)
"""Seconds that the frames of a codec may miss the grid by."""
_SKIPPED_BEHIND = 12
"""Target durations behind the end that a delta update may leave out: six at least
(section 4.4.3.8). A player's copy may be half as old."""
_LONG = 4
"""As many of these in a window make delta updates worth their while."""
_SKIPPED_BEHIND_TIP = 6
"""The same where a playlist is fetched anew with each part: what section 4.4.3.8 has at least."""
_IN_PARTS = 3
"""Target durations behind the end that parts are listed of (section 4.4.4.9)."""
_SHORTEST_GAP = 1000
"""Microseconds of an entry for a hole that the media before it reaches over."""


def render(
    window: Window,
    track: WindowTrack,
    folder: str = "",
    tapes: Tapes | None = None,
    *,
    skip: bool = False,
) -> Text:
    """The playlist of `track`; `folder` leads from it to the track's media.

    `skip`: as a delta update (section 6.2.5.1), if that leaves anything out.
    """
    target, tip = _target(window), window.tip
    boundary = (_SKIPPED_BEHIND if tip is None else _SKIPPED_BEHIND_TIP) * target
    least = _LONG * boundary if tip is None else boundary
    long = window.depth is None or window.depth * window.grid.duration > least
    # What is over is for whoever comes later, from any server, but for who asks for what is new.
    skippable = long and (skip or not window.ended)
    lines = [
        "#EXTM3U",
        f"#EXT-X-VERSION:{9 if skippable else 8}",
        f"#EXT-X-TARGETDURATION:{target}",
        *_server_control(tip, boundary if skippable else None),
    ]
    if window.stays:
        lines.append("#EXT-X-PLAYLIST-TYPE:EVENT")
    lines.append(f"#EXT-X-MEDIA-SEQUENCE:{window.first}")
    lines.append(f"#EXT-X-DISCONTINUITY-SEQUENCE:{_first_period(window)}")
    tail = ["#EXT-X-ENDLIST"] if window.ended else []
    stays = window.last
    if tip is not None:
        stays -= ceil(_IN_PARTS * target / window.grid.duration)
        tail += _new(window, tip, track, folder, stays + 1)
    first = window.last - ceil(boundary / window.grid.duration)
    if skip and skippable and first > window.first:
        lines.append(f"#EXT-X-SKIP:SKIPPED-SEGMENTS={first - window.first}")
        # Whoever comes to a playlist by this is told of the init section too.
        place = replace(_place(window, track, first), described=-1)
        entries = _entries(window, track, folder, place, (first, stays))
        return Text([_piece([*lines, *entries, *tail])])
    if stays < track.segments[0].number:
        return Text([_piece([*lines, *tail])])
    tapes, key = tapes or Tapes(), ("hls", track.latest.id, folder)
    listed = tapes.of(*key).cut(_passage(window, track, folder, stays))
    return tapes.text((*key, window.first), [_piece(lines), *listed, _piece(tail)])


def _server_control(tip: Tip | None, skipped: int | None) -> Iterator[str]:
    """What may be asked for (4.4.3.8), and how long parts are (4.4.3.7)."""
    said: list[str] = []
    if tip is not None:
        held = seconds(Fraction(HELD_BACK * tip.target, MICROS), _DIGITS)
        said += ["CAN-BLOCK-RELOAD=YES", f"PART-HOLD-BACK={held}"]
    if skipped is not None:
        said.append(f"CAN-SKIP-UNTIL={skipped}.0")
    if said:
        yield f"#EXT-X-SERVER-CONTROL:{','.join(said)}"
    if tip is not None:
        yield f"#EXT-X-PART-INF:PART-TARGET={seconds(Fraction(tip.target, MICROS), _DIGITS)}"


def _new(window: Window, tip: Tip, track: WindowTrack, folder: str, first: int) -> Iterator[str]:
    """What is listed part by part: the segments from `first` on, and what comes after them."""
    if first <= track.segments[0].number:
        first, place = window.first, _Place(_first_period(window))
    else:
        place = _place(window, track, first)
    yield from _entries(window, track, folder, place, (first, window.last), in_parts=True)
    following = ChunkName(tip.number, len(tip.chunks))
    yield f'#EXT-X-PRELOAD-HINT:TYPE=PART,URI="{folder}{following}"'
    for other in tip.others:
        uri = f"../{other.track}/index.m3u8"
        last = f"LAST-MSN={other.number},LAST-PART={other.chunk}"
        yield f'#EXT-X-RENDITION-REPORT:URI="{uri}",{last}'


def _piece(lines: Iterable[str]) -> Piece:
    return Piece(_joined(lines).encode())


def _joined(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _passage(window: Window, track: WindowTrack, folder: str, last: int) -> Passage:
    """That of the entries up to `last`."""

    def lead(first: int, last: int) -> str:
        return _joined(
            _entries(window, track, folder, _Place(_first_period(window)), (first, last))
        )

    def middle(first: int, last: int) -> str:
        place = _place(window, track, first)
        return _joined(_entries(window, track, folder, place, (first, last)))

    newest = min(track.segments[-1].number, last)
    return Passage(
        first=window.first,
        # The first entry with media names the init section.
        opened=track.segments[0].number,
        last=last,
        settled=newest,
        known=newest,
        lead=lead,
        middle=middle,
        by_segment=True,
    )


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


@dataclass(frozen=True, slots=True)
class _Place:
    """Where in a playlist an entry stands."""

    period: int
    """Index of that of the entry before."""
    described: int = -1
    """That of the newest init section; -1 where none has been named."""
    end: UtcMicros = UtcMicros(0)  # noqa: RUF009 - it never changes
    """Where the media before ends, and the gaps that it reaches over."""


def _place(window: Window, track: WindowTrack, number: int) -> _Place:
    """That of the entry `number`, which is not the window's first."""
    period = max(p.index for p in window.periods.values() if p.number < number)
    index = track.segments.index_of(number) - 1
    if index < 0:
        return _Place(period)
    before = track.segments[index]
    timescale = window.track_of(track.latest.id, before).timescale
    gaps = number - before.number - 1
    end = UtcMicros(micros_of(before.end, timescale) + gaps * _SHORTEST_GAP)
    return _Place(period, before.period, end)


def _entries(
    window: Window,
    track: WindowTrack,
    folder: str,
    place: _Place,
    numbers: tuple[int, int],
    *,
    in_parts: bool = False,
) -> Iterator[str]:
    """An entry a number: every track lists the same ones, and its periods from the same ones on.

    `in_parts`: the chunks of each segment, too, and those of the one that has begun.
    """
    first, last = numbers
    starts = {period.number: period.index for period in window.periods.values()}
    begun = window.tip if in_parts and window.tip and window.tip.chunks else None
    at = track.segments.index_of(first)
    segments = {
        segment.number: (segment, index)
        for index, segment in enumerate(track.segments.between(first, last), at)
    }
    period, described, end = place.period, place.described, place.end
    for number in range(first, (begun.number if begun else last) + 1):
        # The discontinuity sequence is the period's index: one tag for each period passed.
        passed = starts.get(number, period) - period
        yield from ["#EXT-X-DISCONTINUITY"] * passed
        period += passed
        segment, index = segments.get(number, (None, 0))
        if segment is not None:
            chunks = track.segments.chunks(index) if in_parts else ()
            start, within = segment.start, segment.period
        elif begun is not None and number == begun.number:
            chunks = begun.chunks
            start, within = chunks[0].start, begun.period
        else:
            begin = max(end, window.grid.micros(number))
            end = max(window.grid.micros(number + 1), UtcMicros(begin + _SHORTEST_GAP))
            yield from _gap(begin, end)
            yield f"{folder}{SegmentName(number)}"
            continue
        description = window.periods[within].tracks[track.latest.id]
        if described != period:
            yield f'#EXT-X-MAP:URI="{folder}{InitName(description.version)}"'
            described = period
        # Of every segment: Shaka Player 5.2 loses its place behind a discontinuity where it has to
        # work out the date of a segment that a reload brings.
        yield _date(micros_of(start, description.timescale))
        yield from _parts(description, chunks, number, folder)
        if segment is not None:
            length = Fraction(segment.duration, description.timescale)
            yield f"#EXTINF:{seconds(length, _DIGITS)},"
            yield f"{folder}{SegmentName(number)}"
            end = micros_of(segment.end, description.timescale)


def _parts(track: Track, chunks: Iterable[Chunk], number: int, folder: str) -> Iterator[str]:
    """The chunks of a segment (4.4.4.9); the first starts with a keyframe, as all of sound do."""
    for index, chunk in enumerate(chunks):
        length = seconds(Fraction(chunk.duration, track.timescale), _DIGITS)
        independent = ",INDEPENDENT=YES" if not index or track.kind is TrackKind.AUDIO else ""
        uri = f"{folder}{ChunkName(number, index)}"
        yield f'#EXT-X-PART:DURATION={length},URI="{uri}"{independent}'


def _gap(begin: UtcMicros, end: UtcMicros) -> Iterator[str]:
    """An entry that keeps the media sequence counting over what is not there (4.4.4.7).

    It begins where the media before it ends, so that durations add up to the time that passed.
    """
    yield _date(begin)
    yield "#EXT-X-GAP"
    yield f"#EXTINF:{seconds(Fraction(end - begin, MICROS), _DIGITS)},"


def _date(instant: UtcMicros) -> str:
    return f"#EXT-X-PROGRAM-DATE-TIME:{iso8601(instant)}"
