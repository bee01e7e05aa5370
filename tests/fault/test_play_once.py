"""A source with an end is played once, however often the packager starts."""

import subprocess
from pathlib import Path

import imageio_ffmpeg
import pytest

from tests.support import footage
from tests.support.service import Service, fetch, service, wait_until

pytestmark = [pytest.mark.fault, pytest.mark.extended]


def clip(out: Path) -> Path:
    """A few segments of a recording."""
    program = imageio_ffmpeg.get_ffmpeg_exe()
    command = [program, "-v", "error", "-nostdin", "-i", str(footage.train())]
    subprocess.run([*command, "-t", "5", "-c", "copy", str(out)], check=True, timeout=60)
    return out


def once(file: Path) -> str:
    return f"  match: {{source: {{type: file, file: {file}}}, ladder: passthrough}}\n"


def playlist(running: Service) -> str:
    try:
        return fetch(f"{running.live('match')}/v0/index.m3u8").text
    except OSError:
        return ""


def times_ended(running: Service) -> int:
    events = running.events("channel.state_changed")
    return sum(event["state"] == "ended" for event in events)


def wait_for_the_end(running: Service, times: int) -> str:
    wait_until(lambda: times_ended(running) >= times, "the end of the source", 40)
    return wait_until(
        lambda: text if "#EXT-X-ENDLIST" in (text := playlist(running)) else "", "the last entry"
    )


def test_an_ended_source_is_not_played_again(tmp_path: Path) -> None:
    channels = once(clip(tmp_path / "match.ts"))
    with service(tmp_path, channels) as first:
        whole = wait_for_the_end(first, 1)
        first.kill("packager")
        assert wait_for_the_end(first, 2) == whole
    with service(tmp_path, channels) as second:
        assert wait_for_the_end(second, 3) == whole
        assert len(second.events("ffmpeg.started")) == 1


def test_another_source_is_played_after_it(tmp_path: Path) -> None:
    file = clip(tmp_path / "match.ts")
    with service(tmp_path, once(file)) as first:
        whole = wait_for_the_end(first, 1)
    with service(tmp_path, once(file.rename(tmp_path / "again.ts"))) as second:
        both = wait_for_the_end(second, 2)
        assert both.startswith(whole.removesuffix("#EXT-X-ENDLIST\n"))
        assert both.count("#EXT-X-DISCONTINUITY\n") == 1
        assert len(second.events("ffmpeg.started")) == 2
