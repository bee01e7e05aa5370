import itertools

from hypothesis import given
from hypothesis import strategies as st

from packager.cmaf.frame_duration import FrameDurationTracker

FRAMES = 20
"""In a run."""


def first_change(runs: list[list[int]]) -> int | None:
    pace = FrameDurationTracker()
    return next((index for index, run in enumerate(runs) if pace.changed(run)), None)


def timed(frame: float, jitter: list[int], resolution: int) -> list[list[int]]:
    """Runs of frames whose timestamps are a bit off and rounded to `resolution` ticks."""
    times = [
        round((frame * index + jitter[index % len(jitter)]) / resolution) * resolution
        for index in range(60 * FRAMES + 1)
    ]
    durations = [after - before for before, after in itertools.pairwise(times)]
    return [durations[at : at + FRAMES] for at in range(0, len(durations), FRAMES)]


jitters = st.lists(st.integers(-200, 200), min_size=1, max_size=40)


@given(st.sampled_from([1024, 1536, 2048]), jitters, st.sampled_from([1, 48]))
def test_a_steady_pace(frame: int, jitter: list[int], resolution: int) -> None:
    runs = [[frame] * FRAMES, *timed(frame, jitter, resolution)]
    assert first_change(runs) is None


@given(jitters, st.sampled_from([44_100, 32_000, 96_000, 24_000]))
def test_another_sample_rate(jitter: list[int], rate: int) -> None:
    before = [[1024] * FRAMES] * 30
    after = timed(1024 * 48_000 / rate, jitter, 1)
    found = first_change(before + after)
    assert found is not None
    assert 30 <= found <= 50


def test_a_change_is_found_with_one_timestamp_for_many_frames() -> None:
    runs = [[1024] * 23] * 20 + [[1024] * 12 + [2110], [1024] * 12 + [2199]] * 20
    found = first_change(runs)
    assert found is not None
    assert found > 20


@given(st.integers(0, 10**6))
def test_a_hole_is_no_change(length: int) -> None:
    runs = [[1024] * FRAMES] * 30
    holed = [*runs, [*runs[0], 1024 * 5 + length], *runs]
    assert first_change(holed) is None


def test_a_frame_lost_now_and_then_is_no_change() -> None:
    assert first_change([[1024] * 29 + [2048]] * 60) is None
