"""Feeds whose timestamps jump, restart or count from other epochs, pushed to real channels."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path

import pytest

from origin.urls.view import canonical, path_of
from packager.timing.grid import Grid
from tests.support import flashes, material
from tests.support.channel_view import TINY, TRACKS, D, Seen, see_view
from tests.support.service import Service, free_port, service, wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.extended]

KEY = "a-long-key-for-{}"
SECONDS = 20
SKEW = Fraction(25, 1000)
CHANNELS = {
    "restart": ("flv", "jump=8s-3600s"),
    "hour": ("flv", "jump=8s+1h"),
    "epochs": ("flv", "jump=0s+20h,audio"),
    "back": ("ts", "jump=8s-5s"),
    "forward": ("ts", "jump=8s+5s"),
    "audio-back": ("ts", "jump=8s-6s,audio"),
    "video-restart": ("ts", "jump=8s-1h,video"),
}
"""Channel -> container and fault."""


def feeds(folder: Path) -> dict[str, Path]:
    """A flash and a beep each second, from timestamps of an hour and a half on."""
    ts = material.flashing(folder / "feed.ts", seconds=SECONDS, starts=5_400)
    return {"ts": ts, "flv": material.copied(folder / "feed.flv", ts)}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("faults")
    made, port = feeds(folder), free_port()
    # A starved sender pauses, too: only timestamps are at fault here.
    channels = [
        f"  {name}: {{source: {{type: push, key: {KEY.format(name)}}}, loss: {{no_data: 10s}}, "
        f"ladder: {TINY}}}"
        for name in CHANNELS
    ]
    channels.append(f"ingest: {{host: 127.0.0.1, http_port: {port}}}")
    with service(folder, "\n".join(channels)) as started, ExitStack() as senders:
        wait_until(
            lambda: len(started.events("channel.state_changed")) >= len(CHANNELS), "open ports"
        )
        for name, (kind, fault) in CHANNELS.items():
            url = f"http://127.0.0.1:{port}/push/{KEY.format(name)}"
            command = [sys.executable, "-m", "packager", "send", str(made[kind]), url]
            senders.enter_context(subprocess.Popen([*command, "--fault", fault]))
        wait_until(
            lambda: len(started.events("feed.disconnected")) >= len(CHANNELS), "all feeds", 90
        )
        wait_until(
            lambda: all(started.status(name)["state"] == "waiting" for name in CHANNELS),
            "the end of all media",
            30,
        )
        yield started


@pytest.fixture(scope="module")
def seen(running: Service) -> dict[str, Seen]:
    """All media of each channel. A view with an end does not become stale."""
    grid, now = Grid(D), time.time()
    begin, end = (int(instant / D) for instant in (now - 3600, now))
    view = path_of(canonical(grid.micros(begin), grid.micros(end), grid)).rstrip("/")
    return {channel: see_view(running, channel, view) for channel in CHANNELS}


@pytest.mark.parametrize("channel", CHANNELS)
def test_sound_and_picture_stay_in_step(seen: dict[str, Seen], channel: str) -> None:
    apart = flashes.apart(seen[channel].flashes, seen[channel].beeps)
    assert len(apart) >= SECONDS - 4
    assert max(map(abs, apart)) < SKEW


@pytest.mark.parametrize("channel", CHANNELS)
def test_the_time_goes_on_in_one_period(seen: dict[str, Seen], channel: str) -> None:
    for name in TRACKS:
        playlist = seen[channel].hls[name]
        assert (playlist.breaks, playlist.missing) == ([], [])
        length = sum(piece.duration for piece in playlist.media)
        assert SECONDS - D < length < SECONDS + Fraction(1, 10)


def test_no_channel_or_process_crashed(running: Service, seen: dict[str, Seen]) -> None:
    assert seen
    assert running.events("channel.failed") == []
    assert running.events("channel.crashed") == []
    assert running.events("timeline.broken") == []
    assert running.events("process.died") == []
    assert {event["channel"] for event in running.events("feed.connected")} == set(CHANNELS)
    assert "Traceback" not in running.log
