"""A channel with half a day behind it is back at once."""

import shutil
from pathlib import Path

import psutil
import pytest

from packager.clock import SystemClock, monotonic
from packager.fold import fold
from packager.journal import Reader
from packager.layout import JOURNAL
from tests.fault.test_processes import SMALL
from tests.support.long_journal import CHUNKS, GRID, SIZE, TRACKS, lay
from tests.support.service import Service, fetch, service, wait_until

pytestmark = pytest.mark.fault

HOURS = 12
LONGEST = 10.0
"""Seconds; two are meant, on a machine that has nothing else to do."""


MOST = 100_000_000
"""Bytes of an origin that has all manifests of such a window."""


def memory_with_all(running: Service, view: str) -> int:
    """Bytes of the origin when somebody has asked for everything, each form of it."""
    files = ["index.mpd", "index.ism/Manifest", *(f"{t.id}/index.m3u8" for t in TRACKS)]
    for file in files:
        for coding in ("gzip", "identity"):
            url = f"{running.live('bars')}/{view}/{file}"
            assert fetch(url, **{"Accept-Encoding": coding}).status == 200
    return psutil.Process(running.pid_of("origin")).memory_full_info().uss


def answers(running: Service, path: str) -> bool:
    try:
        return fetch(f"{running.live('bars')}/{path}").status == 200
    except OSError:
        return False


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
            # What is over is served however long the machine was off.
            early = f"from/{begin}/to/{begin + 3600}/v0/index.m3u8"
            wait_until(lambda: answers(running, early), "the origin")
            serving = monotonic() - started
            wait_until(lambda: running.events("ffmpeg.started"), "the packager")
            packaging = monotonic() - started
            wait_until(lambda: answers(running, "270p/index.m3u8"), "a new segment")
            assert answers(running, f"from/{begin}/v0/index.m3u8")
            whole = monotonic() - started
            memory = memory_with_all(running, f"from/{begin}")
            segment = fetch(f"{running.live('bars')}/v0/{first}.m4s")
            assert (segment.status, len(segment.body)) == (200, CHUNKS * SIZE)
            assert running.events("store.lost") == running.events("store.swept") == []
            found = fold(Reader().feed((folder / JOURNAL).read_bytes()))
            assert [found.tracks[t.id].segments[0].number for t in TRACKS] == [first] * len(TRACKS)
            assert [period.index for period in found.periods] == [0, 1]
    finally:
        shutil.rmtree(folder)
    with capsys.disabled():
        said = f"serving after {serving:.2f} s, packaging after {packaging:.2f} s"
        said = f"{said}, a new segment after {whole:.2f} s; the origin has {memory >> 20} MiB"
        print(f"\n{HOURS} hours: {said}")  # noqa: T201
    assert serving < LONGEST
    assert packaging < LONGEST
    assert memory < MOST
