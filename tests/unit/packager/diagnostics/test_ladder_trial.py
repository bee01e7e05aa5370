"""Verdicts on ladder trials."""

from collections.abc import Iterable
from fractions import Fraction
from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from rich.console import Console

from packager.config.ladder import EncodeLadder, Ladder, PassthroughLadder
from packager.config.parse import parse_ladder
from packager.diagnostics import trial_report
from packager.diagnostics.ladder_trial import (
    MediaArrival,
    ProcessUsage,
    TrialMeasurement,
    TrialResult,
    judge,
)
from packager.ffmpeg.progress import Progress
from packager.journal.format import VERSION
from packager.timeline.apply import fold
from packager.timeline.model import Timeline
from packager.timeline.records import ChunkAdded, JournalHeader, Record
from packager.timing.ticks import Ticks
from tests.support.channel import FIRST, GRID, Script
from tests.support.strategies import described

SCRIPT = Script(GRID)
HIGH, LOW, SOUND = (
    replace(described("v0"), id="hi"),
    replace(described("v0"), id="lo"),
    described("a0"),
)
TRACKS = (HIGH, LOW, SOUND)
PARSED = parse_ladder(
    """\
mode: encode
frame_rate: 25
segment: 1.92s
video:
  - {id: hi, width: 640, height: 360, bitrate: 8k, maxrate: 10k, bufsize: 8k}
  - {id: lo, width: 320, height: 180, bitrate: 9k}
audio: {id: a0, bitrate: 64k}
""",
    "x.yaml",
    "x",
)
assert isinstance(PARSED, EncodeLadder)
LADDER: EncodeLadder = PARSED
PASSED = PassthroughLadder(name="p", segment=GRID.duration)


def timeline(records: Iterable[Record]) -> Timeline:
    header = JournalHeader(VERSION, "trial", GRID.duration)
    return fold([header, *SCRIPT.period(0, FIRST, *TRACKS), *records])


def whole(*numbers: int) -> list[Record]:
    return list(SCRIPT.whole(*numbers, tracks=TRACKS))


GOOD = whole(*range(FIRST, FIRST + 5))


def arrivals(pace: float = 1.0, seconds: float = 20.0, begun: float = 3.0) -> list[MediaArrival]:
    count = int(seconds / 0.48)
    return [MediaArrival(begun + 0.48 * n / pace, Fraction(48 * n, 100)) for n in range(count)]


def measured(
    records: Iterable[Record] = GOOD,
    *,
    pace: float = 1.0,
    ladder: Ladder = LADDER,
    cpu: float = 0.8,
    busy: float = 0.5,
    problems: tuple[str, ...] = (),
) -> TrialMeasurement:
    return TrialMeasurement(
        ladder=ladder,
        source="pattern",
        timeline=timeline(records),
        arrivals={"hi": arrivals(), "lo": arrivals(pace), "a0": arrivals(0.1)},
        progress=Progress(500, 0.99, 3, 4),
        seconds=22.04,
        cores=2,
        ffmpeg=ProcessUsage(cpu=cpu, memory=100 << 20),
        packager=ProcessUsage(cpu=0.06, memory=50 << 20),
        busy=busy,
        problems=problems,
    )


def test_a_ladder_that_holds() -> None:
    trial = judge(measured())
    assert trial.holds
    assert trial.verdict == "holds real time with 43 % of this machine's 2 cores"
    assert (trial.pace, trial.speed, trial.seconds) == (1.0, 0.99, 22.0)
    assert (trial.share, trial.others, trial.cores) == (0.43, 0.07, 2)
    assert (trial.frames, trial.dropped, trial.duplicated, trial.aligned) == (500, 3, 4, True)


def test_a_trial_that_leaves_little_of_the_machine() -> None:
    trial = judge(measured(cpu=1.9))
    assert trial.holds
    assert trial.verdict.endswith(
        "98 % of this machine's 2 cores, which leaves little for anything else"
    )


@pytest.mark.parametrize(
    ("ladder", "busy", "way"),
    [
        (LADDER, 0.5, "use faster presets or fewer renditions"),
        (LADDER, 1.0, "other processes used 57 % of this machine: stop them first"),
        (PASSED, 0.5, "no video is encoded: the source is read too slowly"),
    ],
)
def test_the_slowest_rendition_of_the_picture_counts(ladder: Ladder, busy: float, way: str) -> None:
    trial = judge(measured(pace=0.71, ladder=ladder, busy=busy))
    assert (trial.holds, trial.verdict) == (False, f"does not hold: 0.71 x real time; {way}")


@given(pace=st.floats(0.1, 0.97), begun=st.floats(0, 1e6), seconds=st.floats(25, 100))
def test_too_slow_is_found_at_every_pace(pace: float, begun: float, seconds: float) -> None:
    slow = Arrivals(arrivals(pace, seconds, begun)).judged()
    assert not slow.holds
    assert slow.pace == pytest.approx(pace, abs=0.002)


@given(
    late=st.lists(st.floats(0, 0.1), min_size=60, max_size=60),
    stop=st.integers(0, 35),
    stopped=st.floats(0, 4),
)
def test_a_pause_that_is_made_good_and_uneven_arrivals_are_no_fault(
    late: list[float], stop: int, stopped: float
) -> None:
    even = arrivals(seconds=29)
    resumed = even[stop].at + stopped
    uneven = [
        MediaArrival(max(one.at + more, resumed if index >= stop else 0.0), one.media)
        for index, (one, more) in enumerate(zip(even, late, strict=True))
    ]
    trial = Arrivals(uneven).judged()
    assert trial.holds, trial.verdict


class Arrivals:
    """A good trial with other arrivals."""

    def __init__(self, arrivals: list[MediaArrival]) -> None:
        self.arrivals = arrivals

    def judged(self) -> TrialResult:
        good = measured()
        return judge(
            TrialMeasurement(
                **{
                    name: getattr(good, name)
                    for name in TrialMeasurement.__slots__  # type: ignore[attr-defined]
                    if name != "arrivals"
                },
                arrivals={"hi": self.arrivals, "lo": self.arrivals, "a0": self.arrivals},
            )
        )


def test_too_short_to_judge() -> None:
    trial = Arrivals(arrivals(seconds=3)).judged()
    assert not trial.holds
    assert trial.verdict.startswith("does not hold: 0.00 x real time")


def test_rates_are_checked_against_the_rendition_and_its_buffer() -> None:
    # 1.92 s of at most 10 kbit/s and a full buffer of 8 kbit are 3400 bytes.
    sizes = [2000, 3399, 3401]
    records: list[Record] = []
    for number, size in enumerate(sizes, FIRST):
        for track in TRACKS:
            chunk = SCRIPT.chunk(track, number, 0, 1, size)
            records += [chunk, SCRIPT.end(track.id, number)]
    high, low, sound = judge(measured(records)).renditions
    assert (high.id, high.segments, high.nominal, high.maxrate, high.over) == (
        "hi",
        3,
        8000,
        10_000,
        1,
    )
    assert high.average == round(8800 * 8 / 5.76)
    assert high.peak == round(3401 * 8 / 1.92)
    assert (low.nominal, low.maxrate) == (9000, 11_000)
    assert (sound.nominal, sound.maxrate, sound.over) == (64_000, 0, 0)
    copied = judge(measured(records, ladder=PASSED))
    assert copied.holds
    assert {(track.nominal, track.over) for track in copied.renditions} == {(0, 0)}


def moved(record: Record, track: str, ticks: int) -> Record:
    if isinstance(record, ChunkAdded) and record.track == track:
        return replace(record, start=Ticks(record.start + ticks))
    return record


def test_keyframes_off_the_grid() -> None:
    frame = HIGH.timescale // 25
    assert judge(measured([moved(r, "lo", 40) for r in GOOD])).holds, "a rounded tick is no fault"
    one = judge(measured([moved(record, "lo", frame) for record in GOOD]))
    assert (one.holds, one.aligned) == (False, False)
    assert one.verdict == "does not hold: renditions are not cut at the same instants"
    both = judge(measured([moved(moved(r, "lo", frame), "hi", frame) for r in GOOD]))
    assert both.aligned
    assert both.verdict == "does not hold: keyframes are off the grid in hi, lo"
    assert [track.off_grid for track in both.renditions] == [5, 5, 0]
    # Where nothing is encoded they are the source's.
    assert judge(measured([moved(r, "lo", frame) for r in GOOD], ladder=PASSED)).holds


def test_missing_segments_and_breaks() -> None:
    trial = judge(measured([*whole(FIRST), *whole(FIRST + 2)]))
    assert trial.verdict == "does not hold: segments are missing in hi, lo, a0"
    assert [track.missing for track in trial.renditions] == [1, 1, 1]
    broken = judge(measured(problems=("media jumped", "again")))
    assert broken.verdict == "does not hold: the timeline broke: media jumped"


def test_a_trial_without_segments_does_not_hold() -> None:
    assert judge(measured([])).verdict == "does not hold: no segment was completed"


@pytest.mark.parametrize("trial", [judge(measured()), judge(measured(pace=0.5))])
def test_the_report_fits_a_terminal(trial: TrialResult) -> None:
    console = Console(file=StringIO(), width=80)
    trial_report.show(trial, console)
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert lines[0].strip() == "x, pattern (bit/s)"
    assert all(any(name in line for line in lines) for name in ("hi", "lo", "a0"))
    assert lines[-1] == trial.verdict
    assert max(map(len, lines)) <= 80
