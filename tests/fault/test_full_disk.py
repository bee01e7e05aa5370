"""A disk that is full for a while: listed media stays, and the channel goes on by itself."""

import re
import resource
from pathlib import Path

import psutil
import pytest

from tests.support.full_disk import fill, small_disk
from tests.support.service import Service, fetch, service, wait_until
from tests.support.two_channels import CHANNELS, NAMES, SMALL, TRACK, published, went_on

pytestmark = [pytest.mark.fault, pytest.mark.extended]

NO_ROOM = (20_000, resource.RLIM_INFINITY)
"""Bytes: the log and the journal still go on."""
ROOM = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)


def test_a_full_disk_is_named_and_costs_a_period(tmp_path: Path) -> None:
    with service(tmp_path, CHANNELS) as running:
        for name in NAMES:
            running.wait_for_segments(name, 2)
        fill_and_free(running)


def fill_and_free(running: Service) -> None:
    before = {name: published(running, name) for name in NAMES}
    packager = psutil.Process(running.pid_of("packager"))
    packager.rlimit(psutil.RLIMIT_FSIZE, NO_ROOM)
    wait_until(lambda: len(running.events("channel.failed")) >= len(NAMES), "a full disk")
    packager.rlimit(psutil.RLIMIT_FSIZE, ROOM)
    assert "File too large" in str(running.events("channel.failed")[0]["problem"])
    for name in NAMES:
        went_on(running, name, before[name], periods=1)
    assert running.events("process.died") == []
    assert running.events("channel.crashed") == []


def test_the_origin_answers_while_the_disk_of_the_data_is_full(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with small_disk(data, "64m"), service(tmp_path, CHANNELS) as running:
        for name in NAMES:
            running.wait_for_segments(name, 2)
        before = {name: published(running, name) for name in NAMES}
        origin = running.pid_of("origin")
        fill(data / "filler")
        wait_until(lambda: len(running.events("channel.failed")) >= len(NAMES), "a full disk")
        # Every kind of answer is counted, many of them for the first time.
        for name in NAMES:
            for number in before[name].etags:
                segment = f"{running.live(name)}/{TRACK[name]}/{number}.m4s"
                assert fetch(segment).status == 200
                assert fetch(segment, Range="bytes=0-9").status == 206
            for file, statuses in (
                ("index.m3u8", (200, 503)),
                ("index.mpd", (200, 503)),
                ("index.ism/Manifest", (200, 503)),
                ("v9/1.m4s", (404,)),
                ("v9/x.m4s", (400,)),
                ("index.ism/QualityLevels(1)/Fragments(video=1)", (404,)),
            ):
                assert fetch(f"{running.live(name)}/{file}").status in statuses
        assert 'kind="fragment",status="404"' in fetch(f"{running.control}/metrics").text
        (data / "filler").unlink()
        for name in NAMES:
            wait_until(lambda name=name: running.segments(name) > 2, f"growth of {name}", 40)
        assert running.pid_of("origin") == origin
        assert running.events("process.died") == []
        after = {name: published(running, name) for name in NAMES}
        assert all(before[name].etags.items() <= after[name].etags.items() for name in NAMES)


def test_a_retention_that_the_disk_has_no_room_for_is_as_long_as_it_can_be(tmp_path: Path) -> None:
    ladder = tmp_path / "quick.yaml"
    ladder.write_text(Path(SMALL).read_text().replace("segment: 1.92s", "segment: 0.96s"))
    bars = f"  bars: {{source: {{type: pattern, width: 320, height: 180}}, ladder: {ladder}}}"
    with small_disk(tmp_path / "data", "1200k"), service(tmp_path, bars) as running:
        running.wait_for_segments("bars", 2)
        wait_until(lambda: len(running.events("disk.filled")) >= 2, "a full disk", 60)
        full = published(running, "bars")
        wait_until(lambda: published(running, "bars").newest > full.newest + 2, "growth of bars")
        assert published(running, "bars").period == 0
        assert running.events("channel.failed") == []
        assert running.events("publish.failed") == []
        assert running.status("bars")["state"] == "degraded"
        found = re.search(
            r"^ringside_evicted_segments_total.* ([0-9.]+)$",
            fetch(f"{running.control}/metrics").text,
            re.MULTILINE,
        )
        assert found is not None
        assert float(found[1]) > 0


def test_a_disk_full_of_pinned_media_is_reported(tmp_path: Path) -> None:
    """Media of an event stays on a full disk, and the channel reports that it has no room."""
    bars = f"""
  bars:
    source: {{type: pattern, width: 320, height: 180}}
    ladder: {SMALL}
    events: {{all: {{start: 2001-01-01T00:00:00Z, pin: true}}}}"""
    with small_disk(tmp_path / "data", "1200k"), service(tmp_path, bars) as running:
        running.wait_for_segments("bars", 2)
        wait_until(lambda: running.status("bars")["state"] == "backing-off", "a full disk", 90)
        assert "No space left on device" in running.status("bars")["problem"]
