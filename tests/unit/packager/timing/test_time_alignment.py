"""Timestamps that jump, restart and count from different epochs become one steady time."""

from collections.abc import Iterable, Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packager.timing.ticks import MICROS
from packager.timing.time_alignment import TimeAlignment
from packager.timing.timestamp_counter import FLV_TIMESTAMPS, TS_TIMESTAMPS, TimestampCounter

VIDEO, AUDIO = 0, 1
FRAME, SOUND = 40, 20
"""Milliseconds."""
Unit = tuple[int, int, int]
"""Stream, timestamp and instant of arrival, in milliseconds."""


def feed(begin: int, end: int, *, video: int = 0, audio: int = 0, late: int = 0) -> Iterator[Unit]:
    """Both streams from `begin` to `end`; `video` and `audio` are added to their times."""
    for at in range(begin, end, SOUND):
        yield AUDIO, at + audio, at + late
        if at % FRAME == 0:
            yield VIDEO, at + video, at + late


def aligned(
    units: Iterable[Unit], alignment: TimeAlignment | None = None
) -> list[tuple[int, int, int]]:
    """Stream, time after the alignment, and the arrival, all in milliseconds."""
    alignment = alignment or TimeAlignment(FLV_TIMESTAMPS)
    return [
        (stream, (at + alignment.shift(stream, at, now * 1000)) % FLV_TIMESTAMPS.modulus, now)
        for stream, at, now in units
    ]


def steps(units: Iterable[Unit], stream: int) -> set[int]:
    times = [at for one, at, _ in units if one == stream]
    return {later - earlier for earlier, later in pairwise(times)}


def skews(units: list[Unit]) -> set[int]:
    """Milliseconds that the two streams are apart from the offset of their arrivals."""
    return {at - now for _, at, now in units}


def test_a_steady_feed_is_not_moved() -> None:
    alignment = TimeAlignment(FLV_TIMESTAMPS)
    assert aligned(feed(0, 10_000), alignment) == list(feed(0, 10_000))
    assert alignment.jumps == 0


@pytest.mark.parametrize("epoch", [3_600_000, 15_000, -9_000, -9_900])
def test_a_jump_of_both_streams_leaves_no_trace(epoch: int) -> None:
    alignment = TimeAlignment(FLV_TIMESTAMPS)
    units = (*feed(0, 10_000), *feed(10_000, 20_000, video=epoch, audio=epoch))
    found = aligned(units, alignment)
    assert (steps(found, VIDEO), steps(found, AUDIO)) == ({FRAME}, {SOUND})
    assert skews(found) == {0}
    assert alignment.jumps == 1


@pytest.mark.parametrize("offset", [-400, -60, 0, 60, 400])
def test_after_a_restart_the_streams_keep_their_new_offset(offset: int) -> None:
    units = (*feed(0, 10_000), *feed(10_000, 20_000, video=-9_500, audio=-9_500 + offset))
    found = aligned(units)
    # The first audio leaves before the new video shows that it would overlap the old one.
    after = [unit for unit in found if unit[2] > 10_000]
    audio = {at - now for stream, at, now in after if stream == AUDIO}
    video = {at - now for stream, at, now in after if stream == VIDEO}
    assert audio == {one + offset for one in video}
    assert len(video) == 1
    assert all(step > 0 for step in steps(found, VIDEO) | steps(found, AUDIO))


def test_streams_of_different_epochs_are_aligned_by_arrival() -> None:
    found = aligned(feed(0, 10_000, audio=100_000_000))
    assert (steps(found, VIDEO), steps(found, AUDIO)) == ({FRAME}, {SOUND})
    assert len(skews(found)) == 1


@pytest.mark.parametrize(("video", "audio"), [(0, -8_000), (-8_000, 0), (0, 77_000)])
def test_a_stream_that_restarts_alone_stays_in_step(video: int, audio: int) -> None:
    units = (*feed(0, 10_000), *feed(10_000, 20_000, video=video, audio=audio))
    assert skews(aligned(units)) == {0}


@pytest.mark.parametrize("apart", [-2_000, 2_000])
def test_streams_that_begin_apart_keep_their_offset(apart: int) -> None:
    found = aligned(feed(0, 10_000, audio=apart + 2_000, video=2_000))
    assert skews(found) == {2_000, 2_000 + apart}


@pytest.mark.parametrize("only", [VIDEO, AUDIO])
@pytest.mark.parametrize("by", [300, 700, 990, 2_500, -150])
def test_a_stream_that_jumps_a_little_stays_in_step(only: int, by: int) -> None:
    moved = {VIDEO: 0, AUDIO: 0, only: by}
    after = feed(30_000, 40_000, video=moved[VIDEO], audio=moved[AUDIO])
    assert skews(aligned([*feed(0, 30_000), *after])) == {0}


@pytest.mark.parametrize("only", [VIDEO, AUDIO])
@pytest.mark.parametrize("lost", [200, 400, 700])
def test_media_that_is_lost_at_a_restart_is_made_up_for(only: int, lost: int) -> None:
    """The time of what was lost is not known at once: the stream returns into step slowly."""
    restarted = {VIDEO: 0, AUDIO: 0, only: -25_000}
    after = feed(30_000, 120_000, video=restarted[VIDEO], audio=restarted[AUDIO])
    units = [one for one in after if one[0] != only or one[2] >= 30_000 + lost]
    found = aligned([*feed(0, 30_000), *units])
    assert skews(found[-1000:]) <= {-1, 0, 1}
    for stream, step in ((VIDEO, FRAME), (AUDIO, SOUND)):
        assert max(one for one in steps(found, stream) if one < lost) <= step + 1


def test_a_pause_of_the_feed_is_no_jump() -> None:
    units = [*feed(0, 10_000), *feed(40_000, 50_000)]
    assert aligned(units) == units


def test_dropped_frames_of_a_stuck_connection_are_no_jump() -> None:
    """All audio of six seconds arrives at once, and the video behind the dropped frames."""
    stuck = [(AUDIO, at, 16_000) for at in range(10_000, 16_000, SOUND)]
    units = [*feed(0, 10_000), *stuck, *feed(16_000, 20_000)]
    assert aligned(units) == units


def test_dropped_frames_of_a_slow_connection_are_no_jump() -> None:
    """Media is eight seconds late for a minute, then video is dropped until it is on time."""
    late = feed(30_000, 90_000, late=8_000)
    stuck = [(AUDIO, at, 98_000) for at in range(90_000, 98_000, SOUND)]
    units = [*feed(0, 30_000), *late, *stuck, *feed(98_000, 120_000)]
    assert aligned(units) == units


def test_a_backlog_that_arrives_late_is_no_jump() -> None:
    late = [(stream, at, 30_000) for stream, at, _ in feed(10_000, 30_000)]
    units = [*feed(0, 10_000), *late, *feed(30_000, 35_000)]
    assert aligned(units) == units


def test_slides_of_many_seconds_may_arrive_in_bursts() -> None:
    units = [(VIDEO, at, at) for at in (0, 4_000, 8_000)]
    units += [(VIDEO, at, 20_000) for at in (12_000, 16_000, 20_000)]
    assert aligned(units) == units


@pytest.mark.parametrize("counter", [FLV_TIMESTAMPS, TS_TIMESTAMPS])
def test_a_counter_that_wraps_is_no_jump(counter: TimestampCounter) -> None:
    alignment = TimeAlignment(counter)
    for number in range(100):
        ticks = (counter.modulus - 50 * counter.rate + number * counter.rate) % counter.modulus
        assert alignment.shift(VIDEO, ticks, number * MICROS) == 0


def test_an_announced_jump_is_not_counted() -> None:
    alignment = TimeAlignment(FLV_TIMESTAMPS)
    aligned(feed(0, 1_000), alignment)
    alignment.announce()
    aligned(feed(1_000, 2_000, video=50_000, audio=50_000), alignment)
    assert alignment.jumps == 0


JUMPS = st.lists(st.integers(-(10**9), 10**9), min_size=1, max_size=6)


@given(JUMPS, JUMPS)
def test_no_jump_is_left_in_any_stream(video: list[int], audio: list[int]) -> None:
    units: list[Unit] = []
    for number, (epoch, other) in enumerate(zip(video, audio, strict=False)):
        begin = number * 2_000
        units += feed(begin, begin + 2_000, video=epoch, audio=other)
    modulus = FLV_TIMESTAMPS.modulus
    found = aligned((stream, at % modulus, now) for stream, at, now in units)
    for stream in (VIDEO, AUDIO):
        for step in steps(found, stream):
            assert -100 <= FLV_TIMESTAMPS.difference(step, 0) <= 6_000
