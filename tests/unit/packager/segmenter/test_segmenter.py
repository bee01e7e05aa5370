from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packager.cmaf.samples import SampleRun
from packager.config.parts import Parts
from packager.timeline.records import PeriodStarted, SegmentEnded, TrackAdded
from packager.timing.grid import Grid
from packager.timing.ticks import MICROS, UtcMicros, rescale, round_half_up
from packager.track import TrackKind
from tests.support.made_feeds import (
    START,
    FeedTrack,
    Played,
    audio_track,
    begin,
    chunk_ends,
    end_of,
    in_media_order,
    in_turns,
    periods,
    play,
    sample_numbers,
    segmenter_for,
    used_numbers,
    video_track,
)
from tests.support.strategies import EncodedFeed, bursts, encoded_feeds, instants, passed_feeds

BASE = UtcMicros(START + 700_000)
START_LIMIT = 3 * MICROS
"""Microseconds that the start of ffmpeg may take."""
D = Fraction(48, 25)
AAC = Fraction(1024, 48_000)


def sent(track: FeedTrack) -> list[int]:
    return [number for run in track.runs for number in sample_numbers(run)]


def check_always(played: Played, tracks: tuple[FeedTrack, ...]) -> None:
    """Invariants of every feed."""
    used = used_numbers(played)
    assert len(used) == len(set(used)), "a number was used twice"
    assert set(played.media) == set(used), "a segment was left open"
    for track in tracks:
        name, scale = track.spec.id, track.facts.timescale
        out = played.numbers(name)
        assert out == sorted(set(out)), "samples doubled or out of order"
        if name not in played.timeline.tracks:
            assert not out
            continue
        segments = played.timeline.tracks[name].segments
        for segment, chunks in segments.rows():
            runs = played.runs(name, segment.number)
            assert runs[0].start == segment.start
            assert [run.duration for run in runs] == [c.duration for c in chunks]
            if track.spec.kind is TrackKind.VIDEO:
                assert runs[0].keyframe
                assert runs[0].compositions[0] == 0
        for before, after in pairwise(segments):
            assert after.start >= before.end - scale // 1000, "segments overlap"
    for period in played.timeline.periods:
        reference = next(t for t in tracks if t.spec.kind is TrackKind.VIDEO)
        first = played.timeline.tracks[reference.spec.id].segments.numbered(period.number)
        assert first is not None
        grid = played.timeline.grid
        assert first.start == grid.boundary(period.number, reference.facts.timescale)
        assert period.anchor.utc == grid.micros(period.number)
        assert 0 <= period.anchor.seen - period.anchor.utc < grid.duration * MICROS


# An encoder with keyframes on the grid.


def check_regular(played: Played, feed: EncodedFeed) -> None:
    grid = feed.grid
    for track in feed.tracks:
        segments = played.timeline.tracks[track.spec.id].segments
        if not segments:
            continue  # all of the sound lay before the picture
        scale = track.facts.timescale
        for segment in segments:
            boundary = grid.boundary(segment.number, scale)
            if track.spec.kind is TrackKind.VIDEO:
                assert segment.start == boundary
            elif segment.number != segments[0].number:
                assert abs(segment.start - boundary) <= 512
        numbers = [segment.number for segment in segments]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
        for before, after in pairwise(segments):
            assert before.end == after.start


@given(encoded_feeds(), bursts, instants())
def test_an_encoded_feed(feed: EncodedFeed, turns: list[tuple[int, int]], now: UtcMicros) -> None:
    played = begin(feed.grid)
    play(played, feed.tracks, in_turns(feed.tracks, turns), on_grid=True, now=now)
    check_always(played, feed.tracks)
    assert len(periods(played)) == 1
    assert not played.breaks
    reference, *_ = feed.tracks
    for track in feed.tracks:
        out = played.numbers(track.spec.id)
        assert out == sent(track)[len(sent(track)) - len(out) :], "a sample was lost"
        if track.spec.kind is TrackKind.VIDEO:
            assert out == sent(reference)
    if all(track.spec.id in played.timeline.tracks for track in feed.tracks):
        check_regular(played, feed)


@given(encoded_feeds(), bursts, bursts, instants())
def test_the_order_of_arrival_changes_no_byte(
    feed: EncodedFeed,
    turns: list[tuple[int, int]],
    others: list[tuple[int, int]],
    now: UtcMicros,
) -> None:
    one, two = begin(feed.grid), begin(feed.grid)
    play(one, feed.tracks, in_turns(feed.tracks, turns), on_grid=True, now=now)
    play(two, feed.tracks, in_turns(feed.tracks, others), on_grid=True, now=now)
    assert one.media == two.media
    for name, track in one.timeline.tracks.items():
        assert track.segments == two.timeline.tracks[name].segments
    assert one.timeline.periods == two.timeline.periods


@given(encoded_feeds(), st.integers(0, 10**7))
def test_media_never_runs_ahead_of_the_clock(feed: EncodedFeed, late: int) -> None:
    played = begin(feed.grid)
    base = UtcMicros(BASE + late)
    play(played, feed.tracks, in_media_order(feed.tracks), on_grid=True, base=base)
    # Tracks that were ahead of the reference at its start stay ahead; so does decoding delay.
    reference = feed.tracks[0]
    begun = [end_of(track, track.runs[0]) for track in feed.tracks]
    ahead = max(begun) - begun[0] + 2 / feed.frame_rate
    for track in feed.tracks:
        for end, given_at in chunk_ends(played, track.spec.id, track.facts.timescale):
            assert end * MICROS <= given_at + ahead * MICROS + 1
    for end, given_at in chunk_ends(played, reference.spec.id, reference.facts.timescale):
        assert given_at - end * MICROS < (feed.grid.duration + 2) * MICROS


@given(encoded_feeds(), st.lists(encoded_feeds(segments=2), min_size=1, max_size=3), st.data())
def test_restarts(feed: EncodedFeed, further: list[EncodedFeed], data: st.DataObject) -> None:
    played = begin(feed.grid)
    now = START
    count = 0
    for again in (feed, *further):
        tracks = again.tracks[:1] + again.tracks[-1:]
        if played.timeline.latest(tracks[-1].spec.id) is None and count:
            continue
        if tracks[0].facts.timescale != feed.tracks[0].facts.timescale:
            continue
        started = len(periods(played))
        base = UtcMicros(now - round_half_up(end_of(tracks[0], tracks[0].runs[0]) * MICROS))
        play(played, tracks, in_media_order(tracks), on_grid=again.grid == feed.grid, base=base)
        now = UtcMicros(max(played.clock.values()) + data.draw(st.integers(0, 5 * MICROS)))
        count += len(periods(played)) - started
    used = used_numbers(played)
    assert len(used) == len(set(used))
    numbers = [record.number for record in periods(played)]
    assert numbers == sorted(set(numbers))
    assert [record.index for record in periods(played)] == list(range(count))


@pytest.mark.parametrize("rate", [24, 25, 30, 50, 60])
def test_an_hour_is_one_line(rate: int) -> None:
    """Every audio segment has the same length: no remainder piles up."""
    grid = Grid(
        {24: Fraction(8, 3), 25: D, 30: Fraction(32, 15), 50: D, 60: Fraction(32, 15)}[rate]
    )
    frames = int(grid.duration * rate)
    count = frames * 60
    video = video_track(0, Fraction(rate), range(0, count, frames), count, [frames // 4])
    sound = audio_track(1, int(count / Fraction(rate) / AAC), [23], start=-AAC)
    played = begin(grid)
    play(played, (video, sound), in_media_order((video, sound)), on_grid=True, base=BASE)
    lengths = {s.duration for s in played.timeline.tracks["a1"].segments[:-1]}
    assert lengths == {grid.duration * 48_000}


def test_ntsc_audio_follows_video() -> None:
    grid = Grid(Fraction(1001, 500))
    rate = Fraction(30000, 1001)
    video = video_track(0, rate, range(0, 6000, 60), 6000, [15])
    sound = audio_track(1, 9380, [23], start=-AAC)
    played = begin(grid)
    play(played, (video, sound), in_media_order((video, sound)), on_grid=True, base=BASE)
    segments = played.timeline.tracks["a1"].segments
    assert len(segments) == 100
    assert {s.duration for s in segments[:-1]} == {93 * 1024, 94 * 1024}
    assert all(abs(s.start - grid.boundary(s.number, 48_000)) <= 512 for s in segments)


def test_timestamps_of_encoded_audio_are_evened() -> None:
    video = video_track(0, Fraction(25), range(0, 480, 48), 480, [12])
    even = audio_track(1, 900, [23])
    wobbly = tuple(
        SampleRun(
            run.start + (0, 17, -31)[number % 3],
            [1024 + (n == 5) * 20 for n in range(len(run.sizes))],
            run.sizes,
            run.flags,
            run.compositions,
            run.payload,
        )
        for number, run in enumerate(even.runs)
    )
    odd = FeedTrack(even.spec, even.facts, wobbly)
    one, two = begin(Grid(D)), begin(Grid(D))
    turns = in_media_order((video, even))
    play(one, (video, even), turns, on_grid=True)
    play(two, (video, odd), turns, on_grid=True)
    assert one.timeline.tracks["a1"].segments == two.timeline.tracks["a1"].segments


def test_the_short_last_frame_of_an_encoder_shortens_no_other() -> None:
    video = video_track(0, Fraction(25), [0], 48, [12])
    sound = audio_track(1, 90, [30])
    last = sound.runs[-1]
    durations = [*last.durations[:-1], 384]
    cut_short = SampleRun(
        last.start, durations, last.sizes, last.flags, last.compositions, last.payload
    )
    tracks = (video, FeedTrack(sound.spec, sound.facts, (*sound.runs[:-1], cut_short)))
    played = begin(Grid(D))
    play(played, tracks, in_media_order(tracks), on_grid=True)
    (segment,) = played.timeline.tracks["a1"].segments
    assert segment.duration >= 89 * 1024 + 384


# A feed that is passed through.


@given(passed_feeds(), bursts, instants())
def test_a_feed_passed_through(
    feed: EncodedFeed, turns: list[tuple[int, int]], now: UtcMicros
) -> None:
    played = begin(feed.grid)
    play(played, feed.tracks, in_turns(feed.tracks, turns), on_grid=False, now=now)
    check_always(played, feed.tracks)
    video, audio = feed.tracks
    for track in feed.tracks:
        out = played.numbers(track.spec.id)
        assert out == sent(track)[len(sent(track)) - len(out) :], "a sample was lost"
    keys = [n for run in video.runs for n in sample_numbers(run)[:1] if run.keyframe]
    assert played.numbers("v0") == (sent(video)[keys[0] :] if keys else [])
    if "a1" not in played.timeline.tracks:
        return
    cuts = played.timeline.tracks["v0"].segments
    for segment in cuts:
        half = Fraction(1, 2) / feed.frame_rate
        time = Fraction(segment.start, video.facts.timescale) + half
        assert segment.number == time // feed.grid.duration
    scale = audio.facts.timescale
    for segment in played.timeline.tracks["a1"].segments[1:]:
        picture = cuts.numbered(segment.number)
        assert picture is not None
        begun = rescale(picture.start, video.facts.timescale, scale)
        assert segment.start >= begun - 512


@given(passed_feeds())
def test_a_measured_rate_is_described_once(feed: EncodedFeed) -> None:
    played = begin(feed.grid)
    play(played, feed.tracks, in_media_order(feed.tracks), on_grid=False, now=START)
    for track in feed.tracks:
        rates = [r.track.bitrate for r in played.of(TrackAdded) if r.track.id == track.spec.id]
        ended = [r for r in played.of(SegmentEnded) if r.track == track.spec.id]
        assert len(set(rates)) == len(rates)
        assert len(rates) <= 1 + bool(ended)
    latest = (
        [t.bitrate for t in played.timeline.periods[-1].tracks.values()] if periods(played) else []
    )
    known = [rate for rate in latest if rate]
    assert len(known) == len(set(known)), "a rate is also an address"


# Breaks.


def jumped(track: FeedTrack, at: Fraction, by: Fraction) -> FeedTrack:
    """`track` whose times from `at` on are `by` seconds later."""
    scale = track.facts.timescale
    runs = []
    for run in track.runs:
        later = Fraction(run.start, scale) >= at
        runs.append(run.moved(round_half_up(by * scale)) if later else run)
    return FeedTrack(track.spec, track.facts, tuple(runs))


jumps = st.one_of(
    st.fractions(Fraction(11, 10), 40_000, max_denominator=10),
    st.fractions(-40_000, Fraction(-11, 10), max_denominator=10),
)


@given(
    jumps,
    st.integers(30, 150),
    st.sampled_from(["encoded", "passed"]),
    st.tuples(st.integers(0, 1), st.integers(0, 4)),
    st.integers(0, 2 * MICROS),
)
def test_a_jump_begins_a_new_period(
    by: Fraction, frame: int, how: str, early: tuple[int, int], late: int
) -> None:
    video = video_track(0, Fraction(25), range(0, 600, 24), 600, [6], bitrate=0)
    sound = audio_track(1, 1125, [11], start=-AAC, bitrate=0)
    # One track reaches the jump up to a second before the other.
    head = [early[0]] * early[1]
    order = in_media_order((video, sound))
    for index in head:
        order.remove(index)
    at = Fraction(frame, 25)
    tracks = (jumped(video, at, by), jumped(sound, at, by))
    played = begin(Grid(D))
    segmenter = segmenter_for(played, tracks, on_grid=how == "encoded")
    queues = [
        iter(zip(video.runs, tracks[0].runs, strict=True)),
        iter(zip(sound.runs, tracks[1].runs, strict=True)),
    ]
    now = BASE
    for index in [*head, *order]:
        true, run = next(queues[index])
        over = round_half_up(end_of((video, sound)[index], true) * MICROS)
        now = UtcMicros(max(now, BASE + late + over))
        played.take(segmenter.push(tracks[index].spec.id, run, now), now)
    played.take(segmenter.flush(now), now)
    check_always(played, tracks)
    assert played.breaks
    assert len(periods(played)) >= 2
    last = -1
    for record in played.records:
        if isinstance(record, PeriodStarted):
            assert record.number > last
        if isinstance(record, SegmentEnded):
            last = max(last, record.number)
    # It is back within two segments and a keyframe's distance, and the end of it is there.
    assert played.timeline.last_number >= Grid(D).number_at_micros(now) - 3
    for track in tracks:
        assert played.numbers(track.spec.id)[-1] == sent(track)[-1]
        for end, given_at in chunk_ends(played, track.spec.id, track.facts.timescale):
            assert end * MICROS <= given_at + 3 * MICROS, "media of the future"


@pytest.mark.parametrize("by", [Fraction(1, 2), Fraction(-1, 2), Fraction(1)])
def test_a_small_slip_is_no_jump(by: Fraction) -> None:
    video = video_track(0, Fraction(25), range(0, 300, 24), 300, [6])
    tracks = (jumped(video, Fraction(4), by),)
    played = begin(Grid(D))
    play(played, tracks, in_media_order((video,)), on_grid=False, base=BASE)
    assert len(periods(played)) == 1
    assert not played.breaks


def test_a_sample_that_lasts_too_long_is_a_jump() -> None:
    """A muxer lets the last sample before a jump last until the first after it."""
    video = video_track(0, Fraction(25), range(0, 300, 24), 300, [6])
    runs = list(video.runs)
    stuck = runs[20]
    durations = [*stuck.durations[:-1], 90_000 * 50]
    runs[20] = SampleRun(
        stuck.start, durations, stuck.sizes, stuck.flags, stuck.compositions, stuck.payload
    )
    runs[21:] = [run.moved(90_000 * 50 - 3600) for run in runs[21:]]
    played = begin(Grid(D))
    track = FeedTrack(video.spec, video.facts, tuple(runs))
    now = START
    segmenter = segmenter_for(played, (track,), on_grid=False)
    for true, run in zip(video.runs, track.runs, strict=True):
        now = UtcMicros(START + round_half_up(end_of(video, true) * MICROS))
        played.take(segmenter.push("v0", run, now), now)
    played.take(segmenter.flush(now), now)
    check_always(played, (track,))
    assert len(played.breaks) == 1
    assert len(periods(played)) == 2
    assert played.timeline.tracks["v0"].longest < 3 * MICROS


def test_video_without_keyframes_is_dropped() -> None:
    video = video_track(0, Fraction(25), [], 100, [5])
    sound = audio_track(1, 200, [10])
    played = begin(Grid(D))
    tracks = (video, sound)
    segmenter = play(played, tracks, in_media_order(tracks), on_grid=False)
    assert len(played.records) == 1
    assert segmenter.dropped >= len(video.runs)


def test_runs_before_the_init_section_are_dropped() -> None:
    video = video_track(0, Fraction(25), [0], 48, [12])
    segmenter = segmenter_for(begin(Grid(D)), (video,), on_grid=True, init=False)
    assert not list(segmenter.push("v0", video.runs[0], START))
    assert segmenter.dropped == 1


def test_runs_that_wait_for_the_reference_are_bounded() -> None:
    video = video_track(0, Fraction(25), [0], 48, [12])
    sound = audio_track(1, 5000, [1])
    played = begin(Grid(D))
    segmenter = segmenter_for(played, (video, sound), on_grid=True)
    for run in sound.runs:
        assert not list(segmenter.push("a1", run, START))
    assert segmenter.dropped == 5000 - 1024


def test_a_period_waits_for_a_free_number() -> None:
    grid = Grid(D)
    taken = grid.number_at_micros(START) - 1
    video = video_track(0, Fraction(25), range(0, 480, 48), 480, [12])
    played = begin(grid)
    play(played, (video,), in_media_order((video,)), on_grid=True)
    assert played.timeline.last_number == taken + 9
    segmenter = segmenter_for(played, (video,), on_grid=True)
    for run in video.runs:
        assert not list(segmenter.push("v0", run, UtcMicros(grid.micros(taken + 9) + MICROS)))
    actions = list(
        segmenter.push(
            "v0", video.runs[0].moved(480 * 3600), UtcMicros(grid.micros(taken + 10) + MICROS)
        )
    )
    played.take(actions)
    assert periods(played)[-1].number == taken + 10
    assert periods(played)[-1].index == 1


@given(jumps, st.integers(30, 150), st.integers(0, 1), st.sampled_from(["encoded", "passed"]))
def test_a_track_that_jumps_alone_does_not_stop_the_others(
    by: Fraction, frame: int, which: int, how: str
) -> None:
    video = video_track(0, Fraction(25), range(0, 600, 24), 600, [6], bitrate=0)
    sound = audio_track(1, 1125, [11], bitrate=0)
    tracks = [video, sound]
    tracks[which] = jumped(tracks[which], Fraction(frame, 25), by)
    played = begin(Grid(D))
    segmenter = segmenter_for(played, tracks, on_grid=how == "encoded")
    queues = [
        iter(zip(video.runs, tracks[0].runs, strict=True)),
        iter(zip(sound.runs, tracks[1].runs, strict=True)),
    ]
    now = BASE
    for index in in_media_order((video, sound)):
        true, run = next(queues[index])
        now = UtcMicros(BASE + round_half_up(end_of((video, sound)[index], true) * MICROS))
        played.take(segmenter.push(tracks[index].spec.id, run, now), now)
    played.take(segmenter.flush(now), now)
    check_always(played, tuple(tracks))
    assert played.numbers("v0")[-1] == 599
    assert len(periods(played)) == 2
    for track in tracks:
        for end, given_at in chunk_ends(played, track.spec.id, track.facts.timescale):
            assert end * MICROS <= given_at + 3 * MICROS, "media of the future"


def test_audio_far_ahead_of_video_does_not_pile_up() -> None:
    video = video_track(0, Fraction(25), range(0, 2500, 24), 2500, [6], bitrate=0)
    sound = audio_track(1, 5000, [1], start=Fraction(5000), bitrate=0)
    tracks = (video, sound)
    played = begin(Grid(D))
    segmenter = segmenter_for(played, tracks, on_grid=False)
    queues = [iter(track.runs) for track in tracks]
    nearly = FeedTrack(sound.spec, sound.facts, audio_track(1, 5000, [1]).runs)
    for index in in_media_order((video, nearly)):
        played.take(segmenter.push(tracks[index].spec.id, next(queues[index]), START))
    assert segmenter.pending <= 1024
    played.take(segmenter.flush(START))
    check_always(played, tracks)
    assert not played.timeline.tracks["a1"].segments


@pytest.mark.parametrize("how", ["encoded", "passed"])
@pytest.mark.parametrize("burst", [Fraction(1, 2), Fraction(3, 2), Fraction(2), Fraction(7, 2)])
def test_media_that_ran_ahead_is_behind_the_clock_again(how: str, burst: Fraction) -> None:
    """A source that starts with a burst: the burst is kept, then media waits for the clock."""
    video = video_track(0, Fraction(25), range(0, 1200, 48), 1200, [12], bitrate=0)
    sound = audio_track(1, 2250, [22], bitrate=0)
    tracks = (video, sound)
    played = begin(Grid(D))
    segmenter = segmenter_for(played, tracks, on_grid=how == "encoded")
    queues = [iter(track.runs) for track in tracks]
    now = BASE
    for index in in_media_order(tracks):
        run = next(queues[index])
        over = round_half_up((end_of(tracks[index], run) - burst) * MICROS)
        now = UtcMicros(max(now, BASE + over))
        played.take(segmenter.push(tracks[index].spec.id, run, now), now)
        played.take(segmenter.keep_pace(now), now)
    played.take(segmenter.flush(now), now)
    check_always(played, tracks)
    ends = [given - end * MICROS for end, given in chunk_ends(played, "v0", 90_000)]
    ahead = Fraction(5, 4) * MICROS
    assert all(lag > -ahead for lag in ends[len(ends) // 4 :])
    assert len(played.breaks) == len(periods(played)) - 1 <= 1
    assert bool(played.breaks) == (min(ends) <= -ahead)
    assert played.numbers("v0")[-1] == 1199


def test_a_clock_that_is_set_back_ends_no_period() -> None:
    video = video_track(0, Fraction(25), range(0, 480, 48), 480, [12])
    played = begin(Grid(D))
    segmenter = segmenter_for(played, (video,), on_grid=True)
    for run in video.runs:
        now = UtcMicros(BASE + round_half_up(end_of(video, run) * MICROS))
        now = UtcMicros(now - 3600 * MICROS) if run.start > 900_000 else now
        played.take(segmenter.push("v0", run, now), now)
        played.take(segmenter.keep_pace(now), now)
    assert len(periods(played)) == 1
    assert not played.breaks


@pytest.mark.parametrize("low", [True, False])
@pytest.mark.parametrize("speed", [Fraction(1), Fraction(21, 20), Fraction(3)])
@pytest.mark.parametrize("stall", [Fraction(3, 2), Fraction(4)])
def test_with_low_latency_delayed_media_does_not_stay_late(
    stall: Fraction, speed: Fraction, *, low: bool
) -> None:
    """A source stalls after ten seconds, and sends what it has then at some speed."""
    video = video_track(0, Fraction(25), range(0, 2400, 48), 2400, [8])
    sound = audio_track(1, 4500, [15])
    tracks = (video, sound)
    played = begin(Grid(D))
    parts = Parts(Fraction(8, 25), Fraction(1, 3)) if low else None
    segmenter = segmenter_for(played, tracks, on_grid=False, parts=parts)
    queues = [iter(track.runs) for track in tracks]
    for index in in_media_order(tracks):
        run = next(queues[index])
        over = end_of(tracks[index], run)
        late = stall - (over - 10) * (1 - 1 / speed) if over > 10 else Fraction(0)
        now = UtcMicros(BASE + round_half_up((over + max(late, Fraction(0))) * MICROS))
        played.take(segmenter.push(tracks[index].spec.id, run, now), now)
        played.take(segmenter.keep_pace(now), now)
    played.take(segmenter.flush(now), now)
    check_always(played, tracks)
    stays = low and stall > D and speed < 2
    # Once more where it makes up for it after all, and is ahead by as much in the end.
    assert len(played.breaks) == len(periods(played)) - 1 <= 2
    assert bool(played.breaks) == stays
    assert (segmenter.lag or 0) < 2 * MICROS or not stays


@pytest.mark.parametrize("low", [True, False])
@pytest.mark.parametrize(
    ("start", "stall"), [(1, 0), (10, 0), (0, 6), (5, 20)], ids=["late", "starved", "stall", "both"]
)
def test_a_source_that_ffmpeg_paces_makes_up_for_delays(
    start: int, stall: int, *, low: bool
) -> None:
    """It starts late and stalls after half a minute; it makes up for both at twice the speed."""
    video = video_track(0, Fraction(25), range(0, 2400, 48), 2400, [8])
    played = begin(Grid(D))
    parts = Parts(Fraction(8, 25), Fraction(1, 3)) if low else None
    segmenter = segmenter_for(played, (video,), on_grid=True, parts=parts, began_at=BASE)
    lags = list[int]()
    for run in video.runs:
        over = end_of(video, run)
        delays = [start - over / 2, stall - (over - 30) / 2 if over > 30 else 0]
        now = UtcMicros(BASE + round_half_up((over + max(*delays, 0)) * MICROS))
        played.take(segmenter.push("v0", run, now), now)
        played.take(segmenter.keep_pace(now), now)
        lags.append(segmenter.lag or 0)
    played.take(segmenter.flush(now), now)
    check_always(played, (video,))
    assert len(periods(played)) == 1
    assert played.breaks == []
    assert -START_LIMIT < lags[-1] == min(lags) < D * MICROS


# Runs before and after it on the same timeline.


@given(encoded_feeds(), st.integers(0, 4))
def test_it_is_left_where_all_tracks_end_a_segment(feed: EncodedFeed, segments: int) -> None:
    played = begin(feed.grid)
    segmenter = segmenter_for(played, feed.tracks, on_grid=True)
    last = feed.grid.number_at_micros(BASE) + segments
    segmenter.stop_after(last)
    turns = in_media_order(feed.tracks)
    play(played, feed.tracks, turns, on_grid=True, base=BASE, segmenter=segmenter)
    assert all(number <= last for _, number in used_numbers(played))
    assert set(played.media) == set(used_numbers(played))
    if segmenter.has_left:
        ends = {track.last_number for track in played.timeline.tracks.values()}
        assert ends == {last}
        assert segmenter.last_arrival is not None
        assert segmenter.last_arrival > feed.grid.micros(last)


@given(encoded_feeds(), st.integers(30 * MICROS, 40 * MICROS))
def test_buffered_media_lies_at_its_arrival(feed: EncodedFeed, held: int) -> None:
    """All of it is pushed at once, long after its first picture arrived."""
    played = begin(feed.grid)
    segmenter = segmenter_for(played, feed.tracks, on_grid=True, arrived_at=BASE)
    turns, now = in_media_order(feed.tracks), UtcMicros(BASE + held)
    play(played, feed.tracks, turns, on_grid=True, now=now, segmenter=segmenter)
    anchor = played.timeline.periods[0].anchor
    assert anchor.seen == BASE
    assert anchor.utc == feed.grid.micros(feed.grid.number_at_micros(BASE))
