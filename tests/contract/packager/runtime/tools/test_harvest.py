"""The folder of a harvest, and the errors of harvests that are impossible."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace

from packager.errors import DiskError, FeedError, RingsideError, SetupError
from packager.runtime.tools import harvest
from packager.runtime.tools.harvest import HarvestJob
from packager.timeline.records import EventSet, SourceEnded
from tests.paths import ROOT
from tests.support.channel import FIRST, GRID, Packager, channel
from tests.support.full_disk import files_up_to
from tests.support.service import wait_until
from tests.support.strategies import described

NOW = GRID.micros(FIRST + 4)


def event(first: int = FIRST, after: int | None = FIRST + 2, name: str = "fight") -> EventSet:
    """An event of the segments from `first` to the one before `after`."""
    return EventSet(name, GRID.micros(first), None if after is None else GRID.micros(after))


def job(made: Packager, out: Path, program: str | None = None) -> HarvestJob:
    return HarvestJob("fight", {"tv": made.folder}, out, program)


@pytest.fixture
def made(tmp_path: Path) -> Packager:
    made = channel(tmp_path)
    made.note(event())
    return made


@pytest.fixture
def out(tmp_path: Path) -> Iterator[Path]:
    """The folder to make; nothing is left beside it at the end."""
    out = tmp_path / "reaped"
    yield out
    assert not partial(out).exists()


def partial(out: Path) -> Path:
    return out.with_name(f"{out.name}.partial")


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def whole(folder: Path, numbers: range = range(FIRST, FIRST + 2)) -> bool:
    names = {f"{track}/{number}.m4s" for track in ("v0", "a0") for number in numbers}
    names |= {"index.m3u8", "index.mpd", "v0/index.m3u8", "a0/index.m3u8"}
    found = files(folder)
    return {name for name in found if "init-" not in name} == names and len(found) > len(names)


def test_a_complete_event(made: Packager, out: Path) -> None:
    done = harvest.run(job(made, out), NOW)
    assert (done.out, done.shortfall) == (out, None)
    assert whole(out)


@pytest.mark.parametrize("ended", [False, True])
@pytest.mark.parametrize("silent", [0, 4, 20])
@pytest.mark.parametrize("after", [None, FIRST + 3, FIRST + 5])
def test_an_event_is_over_when_no_segment_will_follow(
    made: Packager, out: Path, after: int | None, silent: int, *, ended: bool
) -> None:
    """Three segments were recorded; then nothing, for as many segments as `silent`."""
    made.note(event(after=after))
    now = GRID.micros(FIRST + 3 + silent)
    if ended:
        made.note(SourceEnded(now))
    if ended or after == FIRST + 3 or (after is not None and silent == 20):
        harvest.run(job(made, out), now)
        assert whole(out, range(FIRST, FIRST + 3))
        return
    with pytest.raises(SetupError, match="the event fight is not over"):
        harvest.run(job(made, out), now)
    assert not out.exists()


def test_a_missing_beginning_is_named(made: Packager, out: Path) -> None:
    made.note(event(FIRST - 2, FIRST + 2))
    assert harvest.run(job(made, out), NOW).shortfall == (
        "the event fight lasts from 2025-12-31T23:59:58.080Z to 2026-01-01T00:00:05.760Z; "
        "only 2026-01-01T00:00:01.920Z to 2026-01-01T00:00:05.760Z was available and is harvested"
    )
    assert whole(out)


def test_media_that_the_retention_deleted_is_named(made: Packager, out: Path) -> None:
    made.trim(FIRST + 1)
    done = harvest.run(job(made, out), NOW)
    assert done.shortfall is not None
    assert "only 2026-01-01T00:00:03.840Z to" in done.shortfall
    assert whole(out, range(FIRST + 1, FIRST + 2))


def test_an_end_that_was_not_recorded_is_named(made: Packager, out: Path) -> None:
    made.note(event(FIRST, FIRST + 9), SourceEnded(NOW))
    done = harvest.run(job(made, out), NOW)
    assert done.shortfall is not None
    assert done.shortfall.endswith("to 2026-01-01T00:00:07.680Z was available and is harvested")
    assert whole(out, range(FIRST, FIRST + 3))


def test_an_event_behind_another_that_was_pinned_too_late(made: Packager, out: Path) -> None:
    made.trim(FIRST + 1)
    made.note(pinned(event(FIRST - 9, FIRST - 7, "other")))
    made.note(event(FIRST - 9, FIRST + 2))
    assert harvest.run(job(made, out), NOW).shortfall is not None
    assert whole(out, range(FIRST + 1, FIRST + 2))


def pinned(found: EventSet) -> EventSet:
    return EventSet(found.name, found.start, found.end, pinned=True)


def test_new_parameters_are_named_before_anything_is_copied(made: Packager, out: Path) -> None:
    made.begin(1, FIRST + 4)
    made.whole(FIRST + 4)
    made.note(event(FIRST, FIRST + 5))
    now = GRID.micros(FIRST + 6)
    with pytest.raises(SetupError, match=r"v0 changed.*: harvest without --mp4"):
        harvest.run(job(made, out, "no program at all"), now)
    assert not out.exists()
    harvest.run(job(made, out), now)


def test_renditions_that_appear_and_disappear_are_named_too(made: Packager, out: Path) -> None:
    other = replace(described("v0"), id="v9", version="0" * 8)
    made.note(*made.script.period(1, FIRST + 4, other, described("a0")))
    made.store.write_init("v9", other.version, b"")
    for number in (FIRST + 4, FIRST + 5):
        made.note(*made.script.whole(number, tracks=(other, described("a0"))))
    made.note(event(FIRST, FIRST + 6))
    with pytest.raises(SetupError, match=r"v[09] changed during the event"):
        harvest.run(job(made, out, "no program at all"), GRID.micros(FIRST + 6))
    assert not out.exists()


def test_the_folder_one_stands_in_cannot_be_replaced(
    made: Packager, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out.mkdir()
    monkeypatch.chdir(out)
    with pytest.raises(SetupError, match="name a folder in it"):
        harvest.run(job(made, Path()), NOW)


def test_an_empty_folder_will_do(made: Packager, out: Path) -> None:
    out.mkdir()
    harvest.run(job(made, out), NOW)
    assert whole(out)


def test_a_link_to_an_empty_folder_will_do(made: Packager, out: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    out.symlink_to("elsewhere")
    harvest.run(job(made, out), NOW)
    assert whole(tmp_path / "elsewhere")


def test_existing_files_are_not_touched(made: Packager, out: Path) -> None:
    out.write_bytes(b"mine")
    with pytest.raises(SetupError, match="exists: name a new or an empty folder"):
        harvest.run(job(made, out), NOW)
    assert out.read_bytes() == b"mine"
    folder = out.with_name("folder")
    folder.mkdir()
    (folder / "mine").write_bytes(b"")
    with pytest.raises(SetupError, match="exists: name a new or an empty folder"):
        harvest.run(job(made, folder), NOW)
    assert files(folder) == {"mine"}


def test_a_folder_that_only_looks_like_a_harvest_is_not_touched(
    made: Packager, tmp_path: Path
) -> None:
    out = tmp_path / "x"
    partial(out).mkdir()
    (partial(out) / "mine").write_bytes(b"")
    with pytest.raises(SetupError, match=r"x\.partial exists and is not the rest of a harvest"):
        harvest.run(job(made, out), NOW)
    assert files(partial(out)) == {"mine"}


def test_missing_media_leaves_nothing(made: Packager, out: Path) -> None:
    made.path("a0", FIRST + 1).unlink()
    with pytest.raises(FeedError, match="the retention has deleted it"):
        harvest.run(job(made, out), NOW)
    assert not out.exists()


def test_a_full_disk_leaves_nothing(made: Packager, out: Path) -> None:
    with files_up_to(500), pytest.raises(DiskError, match="File too large") as caught:
        harvest.run(job(made, out), NOW)
    assert str(out) in str(caught.value)
    assert not out.exists()


@pytest.mark.parametrize("program", ["false", None])
def test_a_file_in_the_way_is_one_line(made: Packager, tmp_path: Path, program: str | None) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(SetupError, match="Not a directory"):
        harvest.run(job(made, tmp_path / "file" / "x", program), NOW)


def test_a_journal_that_cannot_be_read(tmp_path: Path, out: Path) -> None:
    (tmp_path / "tv" / "journal").mkdir(parents=True)
    with pytest.raises(SetupError, match="tv/journal: Is a directory"):
        harvest.run(HarvestJob("fight", {"tv": tmp_path / "tv"}, out, None), NOW)
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "journal").write_bytes(b'["chunk","v0",1,1,1,1]\n')
    with pytest.raises(RingsideError, match="bad"):
        harvest.run(HarvestJob("fight", {"bad": tmp_path / "bad"}, out, None), NOW)


# Killed.

_SCRIPT = f"""
import signal
import sys
from pathlib import Path
from packager.runtime.service.signals import leave_on_signals
from packager.runtime.tools import harvest
# A shell that runs the tests in the background makes them ignore SIGINT; `nohup`, SIGHUP.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
leave_on_signals()
job = harvest.HarvestJob("fight", {{"tv": Path(sys.argv[1])}}, Path(sys.argv[2]), None)
harvest.run(job, {NOW})
"""


@contextmanager
def running_harvest(made: Packager, out: Path) -> "Iterator[subprocess.Popen[bytes]]":
    """A harvest that waits for an audio segment."""
    path = made.path("a0", FIRST + 1)
    data = path.read_bytes()
    path.unlink()
    os.mkfifo(path)
    command = [sys.executable, "-c", _SCRIPT, str(made.folder), str(out)]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL) as process:
        try:
            wait_until((partial(out) / "a0" / f"{FIRST}.m4s").exists, "the first files")
            yield process
        finally:
            process.kill()
    path.unlink()
    path.write_bytes(data)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_leaves_nothing(made: Packager, out: Path, number: signal.Signals) -> None:
    def has_ended() -> bool:
        # Python handles a signal from just before the open of the pipe once that open returns.
        os.close(os.open(made.path("a0", FIRST + 1), os.O_RDWR))
        return process.poll() is not None

    with running_harvest(made, out) as process:
        process.send_signal(number)
        wait_until(has_ended, "the end", 20)
        assert process.returncode in (-number, 128 + number)
    assert not out.exists()


def test_the_rest_of_a_crash_is_removed_by_the_next_harvest(made: Packager, out: Path) -> None:
    with running_harvest(made, out), pytest.raises(SetupError, match="another harvest is running"):
        harvest.run(job(made, out), NOW)
    assert partial(out).exists()
    assert not out.exists()
    harvest.run(job(made, out), NOW)
    assert whole(out)
