from hypothesis import given
from hypothesis import strategies as st

from packager.cmaf.samples import SampleDefaults, SampleRun, write
from packager.cmaf.single_file import decoded_earlier, earliness, runs_of

START = 159_050_304_000_000
NONE = SampleDefaults(0, 0, 0)


def run(start: int, compositions: list[int]) -> SampleRun:
    count = len(compositions)
    return SampleRun(start, [3600] * count, [1] * count, [0] * count, compositions, bytes(count))


def shown(found: SampleRun) -> list[int]:
    """When each sample is."""
    times = range(found.start, found.start + found.duration, 3600)
    return [time + offset for time, offset in zip(times, found.compositions, strict=True)]


@given(st.lists(st.lists(st.integers(-90_000, 90_000), min_size=1, max_size=5), max_size=5))
def test_all_is_shown_when_it_was_and_not_before_it_is_decoded(
    offsets: list[list[int]],
) -> None:
    runs = [run(START + 90_000 * index, some) for index, some in enumerate(offsets)]
    by = earliness(runs)
    for sequence, before in enumerate(runs):
        (after,) = runs_of(b"".join(map(bytes, decoded_earlier(before, by, sequence))), NONE)
        assert shown(after) == shown(before)
        assert min(after.compositions) >= 0
    assert by == max([0, *(-min(some) for some in offsets)])


def test_a_segment_is_all_of_its_runs() -> None:
    runs = [run(START, [0, 3600]), run(START + 7200, [-3600, 0])]
    parts = [part for sequence, one in enumerate(runs) for part in write(one, sequence)]
    found = list(runs_of(b"".join(map(bytes, parts)), NONE))
    assert [shown(one) for one in found] == [shown(one) for one in runs]
    assert earliness(found) == 3600
    assert earliness([]) == 0
