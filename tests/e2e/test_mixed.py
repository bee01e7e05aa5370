"""A pushed feed with MP2 audio: its video copied and encoded, its audio encoded."""

import subprocess
import sys
from pathlib import Path

import m3u8
import pytest

from tests.support.material import with_mp2
from tests.support.service import Service, fetch, free_port, service, wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.extended]

KEY = "a-long-key-for-mixed"
SECONDS = 16
LADDER = """\
mode: mixed
segment: 2s
video:
  - {mode: copy, id: source}
  - {mode: encode, id: small, width: 160, height: 90, bitrate: 100k}
audio:
  - {mode: auto}
"""


def segments(running: Service, track: str) -> list[tuple[str, float]]:
    playlist = m3u8.loads(fetch(f"{running.live('tv')}/{track}/index.m3u8").text)
    return [(str(one.uri), float(one.duration)) for one in playlist.segments]


def test_renditions_are_cut_at_the_keyframes_of_the_copy(tmp_path: Path) -> None:
    feed, ladder, port = (
        with_mp2(tmp_path / "feed.ts", SECONDS),
        tmp_path / "mixed.yaml",
        free_port(),
    )
    ladder.write_text(LADDER)
    source = f"{{type: push, key: {KEY}}}"
    channels = f"  tv: {{source: {source}, ladder: {ladder}}}\n"
    with service(tmp_path, f"{channels}ingest: {{host: 127.0.0.1, http_port: {port}}}") as running:
        wait_until(lambda: running.events("channel.state_changed"), "open ports")
        url = f"http://127.0.0.1:{port}/push/{KEY}"
        with subprocess.Popen([sys.executable, "-m", "packager", "send", str(feed), url]) as sender:
            running.wait_for_segments("tv", 4)
            variants = m3u8.loads(fetch(f"{running.live('tv')}/index.m3u8").text).playlists
            copied, encoded = (segments(running, track) for track in ("source", "small"))
            sender.kill()
        assert {one.stream_info.codecs.rpartition(",")[2] for one in variants} == {"mp4a.40.2"}
        assert len(variants) == 2
        shared = min(len(copied), len(encoded))
        assert shared >= 4
        assert copied[:shared] == encoded[:shared]
        assert running.events("channel.failed") == []
