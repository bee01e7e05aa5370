"""Several encoders' fragments in, one timeline out."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace as with_fields

from packager.cmaf.ingest_header import IngestHeader
from packager.cmaf.init_section import InitFacts
from packager.cmaf.samples import SampleRun
from packager.cmaf_ingest.announcements import IngestRefusedError, IngestSender, NoHeaderError
from packager.cmaf_ingest.copies import RedundantFeed
from packager.cmaf_ingest.ingest import CmafIngest
from packager.cmaf_ingest.ingest_clock import IngestFragment
from packager.timeline.records import SegmentEnded, TrackAdded
from packager.timing.grid import Grid
from packager.timing.ticks import MICROS, UtcMicros
from packager.track import TrackKind
from tests.support.made_feeds import (
    SAMPLE,
    START,
    FeedTrack,
    Played,
    audio_track,
    begin,
    periods,
    used_numbers,
    video_track,
)

SECOND = Fraction(START, MICROS)
D = Fraction(48, 25)
A, B = IngestSender("a/", "a:1"), IngestSender("b/", "b:1")


def header(facts: InitFacts, edit: int = 0, version: str = "0" * 8) -> IngestHeader:
    return IngestHeader(b"init", facts, version, edit)


def video(
    encoder: int,
    segments: int,
    *,
    gop: int = 48,
    chunks: Sequence[int] = (48,),
    start: Fraction = SECOND,
    per_segment: int = 48,
    reorder: int = 0,
) -> FeedTrack:
    count = segments * per_segment
    keys = range(0, count, gop)
    return video_track(encoder, Fraction(25), keys, count, chunks, start=start, reorder=reorder)


def audio(
    encoder: int, segments: int, *, chunks: Sequence[int] = (90,), frames: int = 90
) -> FeedTrack:
    return audio_track(encoder, segments * frames, chunks, start=SECOND)


@dataclass
class Stage:
    """A channel and the bodies of its encoders."""

    grid: Grid = field(default_factory=lambda: Grid(D))
    played: Played = field(default_factory=Played)
    ingest: CmafIngest = field(init=False)
    feeds: dict[tuple[str, IngestSender], RedundantFeed | None] = field(default_factory=dict)
    headers: dict[tuple[str, IngestSender], IngestHeader] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.played = begin(self.grid)
        self.ingest = CmafIngest.onto(self.played.timeline)

    def announce(
        self, track: str, sender: IngestSender, facts: InitFacts, now: int = START, edit: int = 0
    ) -> None:
        made = header(facts, edit)
        self.ingest.announce(track, sender, made, UtcMicros(now))
        self.headers[track, sender] = made

    def push(self, track: str, sender: IngestSender, run: SampleRun, now: int = START) -> None:
        key = track, sender
        known = self.headers[key]
        feed = self.feeds.get(key)
        fragment = IngestFragment(track, sender, known, run)
        self.feeds[key] = self.ingest.push(fragment, feed, UtcMicros(now))
        self.tick(now)

    def close(self, track: str, sender: IngestSender, now: int = START) -> None:
        if (feed := self.feeds.pop((track, sender), None)) is not None:
            self.ingest.close(track, feed, UtcMicros(now))
        self.tick(now)

    def tick(self, now: int) -> None:
        self.played.take(self.ingest.due(UtcMicros(now)), UtcMicros(now))

    def numbers(self, track: str) -> list[int]:
        """Of the segments of a track, from that of START on."""
        first = self.grid.number_at_micros(START)
        return [number - first for name, number in used_numbers(self.played) if name == track]

    def senders(self, track: str, number: int) -> set[int]:
        """Whose samples are in a segment."""
        at = number + self.grid.number_at_micros(START)
        found: set[int] = set()
        for run in self.played.runs(track, at):
            place = 0
            for size in run.sizes:
                found.add(SAMPLE.unpack_from(run.payload, place)[0])
                place += size
        return found

    def samples(self, track: str) -> int:
        return len(self.played.numbers(track))


def ends(track: FeedTrack) -> list[tuple[SampleRun, int]]:
    """Each run, and when it is over."""
    scale = track.facts.timescale
    return [(run, (run.start + run.duration) * MICROS // scale) for run in track.runs]


def stage(*tracks: tuple[str, IngestSender, FeedTrack], grid: Fraction = D) -> Stage:
    made = Stage(Grid(grid))
    for name, sender, track in tracks:
        made.announce(name, sender, track.facts)
    return made


def play(made: Stage, *tracks: tuple[str, IngestSender, FeedTrack, int, range]) -> None:
    """Deliver the runs of each track whose indexes are in a range, so many µs late."""
    turns = sorted(
        (
            (over + late, name, sender, run)
            for name, sender, track, late, wanted in tracks
            for index, (run, over) in enumerate(ends(track))
            if index in wanted
        ),
        key=lambda turn: turn[0],
    )
    for now, name, sender, run in turns:
        made.push(name, sender, run, now)


ALL = range(10_000)


def test_the_encoders_times_are_kept() -> None:
    feed = video(0, 3, chunks=[12])
    made = stage(("v", A, feed))
    play(made, ("v", A, feed, 0, ALL))
    made.close("v", A, ends(feed)[-1][1])
    assert made.numbers("v") == [0, 1, 2]
    first = made.played.timeline.tracks["v"].segments[0]
    assert first.start == feed.runs[0].start
    assert made.samples("v") == 3 * 48


def test_a_delay_of_b_frames_is_taken_off() -> None:
    feed = video(0, 2, reorder=2)
    made = stage(("v", A, feed))
    play(made, ("v", A, feed, 0, ALL))
    made.close("v", A, ends(feed)[-1][1])
    runs = made.played.runs("v", made.grid.number_at_micros(START))
    assert runs[0].start == SECOND * feed.facts.timescale
    assert runs[0].compositions[0] == 0


def test_the_edit_list_counts() -> None:
    feed = video(0, 2, start=Fraction(0))
    made = Stage()
    made.announce("v", A, feed.facts, edit=int(SECOND * feed.facts.timescale))
    for run in feed.runs:
        made.push("v", A, run)
    made.close("v", A)
    assert made.numbers("v") == [0, 1]
    assert "UTC" not in " ".join(made.ingest.take_notices())


def test_audio_is_cut_at_the_cuts_of_video() -> None:
    sound = audio(0, 3, chunks=[7])
    made = stage(("a", A, sound))
    play(made, ("a", A, sound, 0, ALL))
    assert made.numbers("a") == [0, 1, 2]
    assert [s.duration for s in made.played.timeline.tracks["a"].segments] == [90 * 1024] * 3


def test_the_first_whole_copy_counts() -> None:
    one, two = video(0, 4, chunks=[12]), video(1, 4, chunks=[12])
    made = stage(("v", A, one), ("v", B, two))
    play(made, ("v", A, one, 0, ALL), ("v", B, two, 100_000, ALL))
    assert [made.senders("v", n) for n in (0, 1, 2)] == [{0}] * 3


def test_a_segment_that_one_encoder_leaves_open_is_taken_from_another() -> None:
    one, two = video(0, 4, chunks=[12]), video(1, 4, chunks=[12])
    made = stage(("v", A, one), ("v", B, two))
    # Six of sixteen fragments: a segment and a half.
    play(made, ("v", A, one, 0, range(6)), ("v", B, two, 100_000, ALL))
    made.close("v", B, ends(two)[-1][1] + 100_000)
    assert made.numbers("v") == [0, 1, 2, 3]
    assert [made.senders("v", n) for n in range(4)] == [{0}, {1}, {1}, {1}]


def test_the_only_encoder_that_stops_leaves_a_partial_segment() -> None:
    one = video(0, 4, chunks=[12])
    made = stage(("v", A, one))
    play(made, ("v", A, one, 0, range(6)))
    made.close("v", A, ends(one)[5][1])
    assert made.numbers("v") == [0]
    made.tick(ends(one)[5][1] + 2 * MICROS)
    assert made.numbers("v") == [0, 1]


def test_a_segment_that_one_encoder_lacks_is_taken_from_the_later_one() -> None:
    one, two = video(0, 5), video(1, 5)
    made = stage(("v", A, one), ("v", B, two))
    for index in (0, 1, 3):
        made.push("v", A, one.runs[index], ends(one)[index][1])
    for index in range(5):
        made.push("v", B, two.runs[index], ends(one)[max(index, 3)][1] + MICROS // 2)
    made.close("v", B, ends(one)[4][1] + MICROS // 2)
    assert made.numbers("v") == [0, 1, 2, 3, 4]
    assert made.senders("v", 2) == {1}


def test_a_hole_of_all_is_waited_for_no_longer_than_half_a_segment() -> None:
    one = video(0, 5, chunks=[12])
    made = stage(("v", A, one))
    play(made, ("v", A, one, 0, range(8)), ("v", A, one, 0, range(12, 20)))
    now = ends(one)[-1][1]
    made.close("v", A, now)
    made.tick(now + MICROS)
    assert made.numbers("v") == [0, 1, 3, 4]


def test_a_rendition_that_starts_late_is_listed_from_the_period_start_on() -> None:
    one, two = video(0, 6), video(1, 6)
    made = stage(("v0", A, one))
    for run, over in ends(one):
        made.push("v0", A, run, over)
    now = ends(one)[-1][1]
    made.announce("v1", A, two.facts, now)
    for run in two.runs[1:]:
        made.push("v1", A, run, now)
    made.close("v1", A, now)
    made.tick(now + MICROS)
    assert made.numbers("v1") == [1, 2, 3, 4, 5]
    assert len(periods(made.played)) == 1


def test_a_track_that_stops_holds_no_other() -> None:
    one, two = video(0, 20), video(1, 20)
    made = stage(("v0", A, one), ("v1", A, two))
    play(made, ("v0", A, one, 0, ALL), ("v1", A, two, 0, range(3)))
    assert made.numbers("v0") == list(range(20))
    first = made.grid.number_at_micros(START)
    assert made.played.timeline.edge - first == 19


def test_a_period_begins_once_all_tracks_are_there() -> None:
    picture, sound = video(0, 3), audio(0, 3)
    made = stage(("v", A, picture), ("a", A, sound))
    play(made, ("v", A, picture, 0, ALL), ("a", A, sound, 300_000, ALL))
    kinds = [type(record) for record in made.played.records]
    assert kinds.index(SegmentEnded) > max(
        place for place, kind in enumerate(kinds) if kind is TrackAdded
    )
    assert made.numbers("a")[0] == made.numbers("v")[0] == 0


def test_times_that_are_not_utc_are_anchored_once_for_all_tracks() -> None:
    picture = video(0, 3, start=Fraction(5), chunks=[12])
    sound = audio_track(0, 280, [10], start=Fraction(5))
    made = stage(("v", A, picture), ("a", A, sound))
    base = START - 5 * MICROS + 700_000
    play(made, ("v", A, picture, base, ALL), ("a", A, sound, base, ALL))
    timeline = made.played.timeline
    starts = [
        Fraction(segments[0].start, timeline.track(name, 0).timescale)
        for name in ("v", "a")
        for segments in [timeline.tracks[name].segments]
    ]
    assert starts[0] == SECOND
    assert abs(starts[1] - starts[0]) < Fraction(1024, 48000)
    assert any("not UTC" in notice for notice in made.ingest.take_notices())


def in_bodies(made: Stage, *tracks: tuple[str, FeedTrack], late: Sequence[int]) -> int:
    """Deliver each run as a body of its own, so many µs late in turn.

    The bodies of all tracks are due at the ends of those of the first track. Returns: the end.
    """
    now = int(START)
    leading = tracks[0][1]
    first = leading.runs[0].start
    for index, run in enumerate(leading.runs):
        over = (run.start + run.duration - first) * MICROS // leading.facts.timescale
        until: int = START + over + late[index % len(late)]
        for tick in range(now, until, MICROS // 10):
            made.tick(tick)
        now = until
        for name, track in tracks:
            if index < len(track.runs):
                made.push(name, A, track.runs[index], now)
                made.close(name, A, now)
    return now


LATE = (0, 100_000, 20_000, 90_000, 0, 60_000)


@pytest.mark.parametrize("first", [87, 88, 89, 91, 93])
def test_edges_of_bodies_inside_the_neighbour_lose_no_audio(first: int) -> None:
    picture = video(0, 8, start=Fraction(5))
    sound = audio_track(0, 8 * 90, [first, *[90] * 7], start=Fraction(5))
    made = stage(("v", A, picture), ("a", A, sound))
    in_bodies(made, ("v", picture), ("a", sound), late=LATE)
    segments = made.played.timeline.tracks["a"].segments
    assert [each.duration for each in segments][:7] == [90 * 1024] * 7
    assert made.numbers("a")[:7] == list(range(7))
    assert len(periods(made.played)) == 1


def test_the_next_body_is_waited_for_by_the_length_of_the_last_one() -> None:
    sound = audio_track(0, 8 * 90, [268, 270, 182], start=SECOND)
    made = stage(("a", A, sound))
    in_bodies(made, ("a", sound), late=LATE)
    segments = made.played.timeline.tracks["a"].segments
    assert [each.duration for each in segments][:7] == [90 * 1024] * 7


def test_the_next_body_is_not_waited_for_without_end() -> None:
    sound = audio_track(0, 87 + 80, [87, 80], start=SECOND)
    made = stage(("a", A, sound))
    now = in_bodies(made, ("a", sound), late=[0])
    assert made.numbers("a") == [0]
    made.tick(now + 4 * MICROS)
    assert made.numbers("a") == [0, 1]


def test_a_segment_that_the_body_has_passed_is_not_waited_for() -> None:
    priming = Fraction(2 * 1024, 48000)
    sound = audio_track(0, 2 + 4 * 90, [2 + 4 * 90], start=SECOND - priming)
    made = stage(("a", A, sound))
    now = in_bodies(made, ("a", sound), late=[0])
    made.tick(now + 2 * MICROS)
    assert made.numbers("a") == [0, 1, 2, 3]


def test_a_second_encoder_without_utc_is_left_out() -> None:
    one, two = video(0, 3, start=Fraction(5)), video(1, 3, start=Fraction(900))
    made = stage(("v", A, one), ("v", B, two))
    base = START - 5 * MICROS
    for (run, over), (other, _) in zip(ends(one), ends(two), strict=True):
        made.push("v", A, run, base + over)
        made.push("v", B, other, base + over)
    assert made.numbers("v") == [0, 1, 2]
    assert [made.senders("v", n) for n in (0, 1, 2)] == [{0}] * 3
    assert made.ingest.dropped == 3


def test_a_restarted_encoder_without_utc_begins_a_period() -> None:
    one, two = video(0, 3, start=Fraction(50)), video(0, 3, start=Fraction(0))
    made = stage(("v", A, one))
    for run, over in ends(one):
        made.push("v", A, run, START - 50 * MICROS + over)
    made.close("v", A, START + 6 * MICROS)
    again = START + 12 * MICROS
    for run, over in ends(two):
        made.push("v", A, run, again + over)
    made.close("v", A, again + 6 * MICROS)
    assert [period.index for period in periods(made.played)] == [0, 1]
    assert made.numbers("v") == [0, 1, 2, 6, 7, 8]
    assert len(made.played.breaks) == 1


def test_other_parameters_are_refused_while_the_track_is_on_the_air() -> None:
    one = video(0, 4)
    made = stage(("v", A, one))
    made.push("v", A, one.runs[0], START + 2 * MICROS)
    other = with_width(one.facts, 1280)
    with pytest.raises(IngestRefusedError, match="size 1280x360, not 640x360"):
        made.announce("v", B, other, START + 3 * MICROS)


def test_other_parameters_begin_a_period_once_the_track_is_silent() -> None:
    one = video(0, 8)
    made = stage(("v", A, one))
    for run, over in ends(one)[:3]:
        made.push("v", A, run, over)
    made.close("v", A, START + 6 * MICROS)
    other = with_width(one.facts, 1280)
    made.announce("v", A, other, START + 12 * MICROS)
    for run, over in ends(one)[6:]:
        made.push("v", A, run, over)
    made.close("v", A, START + 16 * MICROS)
    assert made.numbers("v") == [0, 1, 2, 6, 7]
    assert len(periods(made.played)) == 2
    assert made.played.timeline.track("v", 1).width == 1280


def with_width(facts: InitFacts, width: int) -> InitFacts:
    return replace(facts, width=width)


def test_fragments_without_a_header_go_with_that_of_their_encoder() -> None:
    facts = video(0, 1).facts
    made = Stage()
    made.announce("v", A, facts, edit=7)
    made.announce("v", B, facts, edit=9)
    found = [made.ingest.header_of("v", sender) for sender in (A, B, IngestSender("b/", "b:2"))]
    assert [one and one.edit for one in found] == [7, 9, 9]
    with pytest.raises(NoHeaderError):
        made.ingest.header_of("v", IngestSender("c/", "c:1"))
    assert made.ingest.header_of("w", A) is None


def test_a_fragment_of_no_length_is_refused() -> None:
    one = video(0, 1)
    made = stage(("v", A, one))
    with pytest.raises(IngestRefusedError, match="a fragment of"):
        made.push("v", A, with_fields(one.runs[0], durations=[0] * 48))


def test_there_is_an_end_of_tracks() -> None:
    facts = video(0, 1).facts
    made = Stage()
    for number in range(32):
        made.announce(f"v{number}", A, facts)
    with pytest.raises(IngestRefusedError, match="more than 32 tracks"):
        made.announce("v32", A, facts)


# Laws


@dataclass(frozen=True)
class Pushed:
    """What one encoder pushes of one track: its runs, but for some that are lost."""

    track: FeedTrack
    lost: frozenset[int]

    @property
    def runs(self) -> list[SampleRun]:
        return [run for index, run in enumerate(self.track.runs) if index not in self.lost]

    def whole(self, grid: Grid) -> set[int]:
        """The segments that it has all of."""
        there: dict[int, int] = defaultdict(int)
        wanted: dict[int, int] = defaultdict(int)
        scale = self.track.facts.timescale
        for index, run in enumerate(self.track.runs):
            time = run.start
            for length in run.durations:
                number = grid.number_at(time + length // 2, scale)
                wanted[number] += 1
                there[number] += index not in self.lost
                time += length
        return {number for number, count in wanted.items() if there[number] == count}


@st.composite
def pushed(draw: st.DrawFn, encoder: int, kind: TrackKind, duration: Fraction) -> Pushed:
    segments = draw(st.integers(1, 4))
    frames = int(duration * 25)
    sizes = draw(st.lists(st.integers(8, 60), min_size=1, max_size=3))
    if kind is TrackKind.VIDEO:
        gop = draw(st.sampled_from([frames, frames // 2]))
        track = video(encoder, segments, gop=gop, chunks=sizes, per_segment=frames)
    else:
        count = int(segments * duration * 48000 / 1024)
        track = audio_track(encoder, count, sizes, start=SECOND)
    lost = draw(st.sets(st.integers(0, len(track.runs) - 1), max_size=len(track.runs) // 2))
    return Pushed(track, frozenset(lost))


@given(st.data())
def test_any_interleaving_of_two_encoders(data: st.DataObject) -> None:
    duration = data.draw(st.sampled_from([D, Fraction(2)]))
    kinds = {"v": TrackKind.VIDEO, "a": TrackKind.AUDIO}
    grid = Grid(duration)
    start = UtcMicros(START)
    lines = {
        (name, sender): data.draw(pushed(index, kind, duration))
        for name, kind in kinds.items()
        for index, sender in enumerate((A, B))
    }
    made = stage(*((name, s, line.track) for (name, s), line in lines.items()), grid=duration)
    queues = {key: list(line.runs) for key, line in lines.items() if line.runs}
    while queues:
        key = data.draw(st.sampled_from(sorted(queues, key=str)))
        made.push(*key, queues[key].pop(0), start)
        if not queues[key]:
            del queues[key]
            made.close(*key, start)
    for late in range(1, 40):
        made.tick(start + late * MICROS)
    for name in kinds:
        numbers = made.numbers(name)
        assert numbers == sorted(set(numbers))
        segments = list(made.played.timeline.tracks[name].segments) if numbers else []
        for one, two in pairwise(segments):
            assert one.end <= two.start + 512
        for number in numbers:
            assert len(made.senders(name, number)) == 1
        base = grid.number_at_micros(START)
        had = set[int]().union(
            *(lines[name, sender].whole(grid) for sender in (A, B) if (name, sender) in lines)
        )
        first = periods(made.played)[0].number if periods(made.played) else 1 << 62
        assert {number for number in had if number >= first} <= {n + base for n in numbers}
        for number in set(numbers) & {n - base for n in had if n >= first}:
            segment = made.played.timeline.tracks[name].segments.numbered(number + base)
            assert segment is not None
            runs = made.played.runs(name, number + base)
            assert segment.duration == sum(run.duration for run in runs)
