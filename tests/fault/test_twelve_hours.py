"""A channel with half a day of media starts quickly."""

import shutil
from functools import partial
from pathlib import Path

import psutil
import pytest

from packager.journal.format import JournalReader
from packager.layout import JOURNAL
from packager.timeline.apply import fold
from packager.timing.clock import SystemClock, monotonic
from tests.support.long_journal import CHUNKS, GRID, SIZE, TRACKS, lay
from tests.support.service import Service, fetch, service, wait_until
from tests.support.two_channels import SMALL

pytestmark = [pytest.mark.fault, pytest.mark.extended]

HOURS = 12
LONGEST = 5.0
"""CPU seconds of a process until it serves again: about two are usual."""


MOST = 100_000_000
"""Largest memory in bytes of an origin with all manifests of such a window."""


def memory_with_all(running: Service, view: str) -> int:
    """Memory of the origin in bytes after a viewer has requested each file in each coding."""
    files = ["index.mpd", "index.ism/Manifest", *(f"{t.id}/index.m3u8" for t in TRACKS)]
    for file in files:
        for coding in ("gzip", "identity"):
            # An origin whose loop lags on a busy machine refuses first.
            wait_until(partial(answers, running, f"{view}/{file}", coding), file)
    return psutil.Process(running.pid_of("origin")).memory_full_info().uss


def answers(running: Service, path: str, coding: str = "identity") -> bool:
    try:
        url = f"{running.live('bars')}/{path}"
        return fetch(url, **{"Accept-Encoding": coding}).status == 200
    except OSError:
        return False


def cpu_seconds(running: Service, process: str) -> float:
    """CPU time of a process of the service, in seconds."""
    times = psutil.Process(running.pid_of(process)).cpu_times()
    return times.user + times.system


def test_after_twelve_hours_it_is_back_within_seconds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ladder = tmp_path / "ladder.yaml"
    ladder.write_text(Path(SMALL).read_text().replace("segment: 1.92s", "segment: 2s"))
    channel = f"  bars: {{source: {{type: pattern, width: 320, height: 180}}, ladder: {ladder}, "
    channel += "window: 5m, retention: 24h}"
    folder = tmp_path / "data" / "bars"
    first = lay(folder, "bars", HOURS, SystemClock().now())
    begin = GRID.micros(first) // 1_000_000
    try:
        started = monotonic()
        with service(tmp_path, channel) as running:
            # Past media is served however long the machine was off.
            early = f"from/{begin}/to/{begin + 3600}/v0/index.m3u8"
            wait_until(lambda: answers(running, early), "the origin")
            serving = monotonic() - started
            origin_cpu = cpu_seconds(running, "origin")
            wait_until(lambda: running.events("ffmpeg.started"), "the packager")
            packaging = monotonic() - started
            packager_cpu = cpu_seconds(running, "packager")
            wait_until(lambda: answers(running, "270p/index.m3u8"), "a new segment")
            assert answers(running, f"from/{begin}/v0/index.m3u8")
            whole = monotonic() - started
            memory = memory_with_all(running, f"from/{begin}")
            segment = fetch(f"{running.live('bars')}/v0/{first}.m4s")
            assert (segment.status, len(segment.body)) == (200, CHUNKS * SIZE)
            assert running.events("store.lost") == running.events("store.swept") == []
            found = fold(JournalReader().feed((folder / JOURNAL).read_bytes()))
            assert [found.tracks[t.id].segments[0].number for t in TRACKS] == [first] * len(TRACKS)
            assert [period.index for period in found.periods] == [0, 1]
    finally:
        shutil.rmtree(folder)
    with capsys.disabled():
        said = f"serving after {serving:.2f} s, packaging after {packaging:.2f} s"
        said = f"{said}, a new segment after {whole:.2f} s; the origin has {memory >> 20} MiB"
        print(f"\n{HOURS} hours: {said}")  # noqa: T201
    # CPU time, since wall time depends on other load of the machine.
    assert origin_cpu < LONGEST
    assert packager_cpu < LONGEST
    assert memory < MOST
