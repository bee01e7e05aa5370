"""`ringside record`, `send` and `extract`, with a real encoder on the line."""

import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from packager.impairment.recording import RecordingReader
from packager.impairment.schedule import Received
from packager.runtime.tools.media_file import extract
from tests.paths import ROOT
from tests.support import footage, programs
from tests.support.encoder import Look, encoder
from tests.support.service import free_port, wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.extended]

AT_SMALL = Look(size="320x180", gop=10, audio_rate=44_100)
RINGSIDE = [sys.executable, "-m", "packager"]
TRAIN = footage.train()


def ringside(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [*RINGSIDE, *arguments]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )


def recording(*arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [*RINGSIDE, "record", *arguments],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def test_a_feed_is_recorded_taken_apart_and_sent_again_byte_for_byte(tmp_path: Path) -> None:
    port = free_port()
    path = tmp_path / "feed.recording"
    url = f"udp://127.0.0.1:{port}"
    with recording(url, "--out", str(path)) as running:
        wait_until(lambda: _bound(port), "a recorder on its port")
        done = ringside("send", str(TRAIN), url, "--speed", "5")
        assert done.returncode == 0, done.stderr
        assert done.stdout == f"sent 1 connection, {size(TRAIN)} bytes\n"
        wait_until(lambda: size(path) > size(TRAIN), "all of it")
        running.send_signal(signal.SIGINT)
        said, log = running.communicate(timeout=20)
    assert running.returncode == 0, log
    assert said == f"recorded 1 connection, {size(TRAIN)} bytes, to {path}\n"
    assert log.count("feed.connected") == 1
    done = ringside("extract", str(path), "--out", str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    assert f"{size(TRAIN)} bytes" in done.stdout
    assert (tmp_path / "out" / "001.ts").read_bytes() == TRAIN.read_bytes()
    events = RecordingReader().feed(path.read_bytes())
    instants = [event.at for event in events if isinstance(event, Received)]
    assert abs(instants[0] - time.time_ns() // 1000) < 120_000_000
    # Sent at five times its pace: the times are those of its arrival.
    assert 1_500_000 < instants[-1] - instants[0] < 6_000_000


def test_a_source_of_a_channel_is_recorded_for_a_while(tmp_path: Path) -> None:
    port = free_port()
    config = tmp_path / "ringside.yaml"
    first, second = (
        f"{{type: udp, host: 127.0.0.1, port: {number}}}" for number in (free_port(), port)
    )
    config.write_text(
        f"data: data\nchannels: {{tv: {{ladder: passthrough, sources: [{first}, {second}]}}}}\n"
    )
    path = tmp_path / "feed.recording"
    with encoder(f"udp://127.0.0.1:{port}", AT_SMALL):
        done = ringside(
            "record", "-c", str(config), "tv", "2", "--out", str(path), "--for", "2500ms"
        )
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(rf"recorded 1 connection, \d+ bytes, to {path}\n", done.stdout)
    (one,) = extract(path, tmp_path / "out")
    assert programs.frames_of(str(one.file), 10) > 10
    assert one.reason


def _bound(port: int) -> bool:
    wanted = f":{port:04X} "
    return any(wanted in line for line in Path("/proc/net/udp").read_text().splitlines())
