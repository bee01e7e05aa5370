"""Encoders of all kinds, and a channel whose encoder disconnects."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from imageio_ffmpeg import get_ffmpeg_exe

from tests.paths import ROOT
from tests.support import footage
from tests.support.encoder import Encoder, Look, encoder
from tests.support.obs import obs
from tests.support.service import Service, fetch, free_port, service, wait_until

pytestmark = pytest.mark.e2e

KEY = "a-long-key-for-{}-01"
PATTERN = Look(pattern=True, gop=25)
SMALL = """
mode: encode
frame_rate: 25
segment: 0.96s
video:
  - {id: low, width: 320, height: 180, bitrate: 300k, preset: ultrafast, threads: 1}
audio: {bitrate: 64k}
"""


@dataclass
class Ports:
    """Where the packager takes feeds."""

    rtmp: int
    http: int
    srt: int
    udp: int
    rough: int

    @classmethod
    def free(cls) -> "Ports":
        return cls(*(free_port() for _ in range(5)))

    def rtmp_url(self, name: str) -> str:
        return f"rtmp://127.0.0.1:{self.rtmp}/live/{KEY.format(name)}"


def config(ports: Ports) -> str:
    def key(name: str) -> str:
        return KEY.format(name)

    passed = "ladder: passthrough, segment: 0.96s"
    here = "host: 127.0.0.1"
    srt = f"port: {ports.srt}, passphrase: {key('srt')}"
    return f"""
  two:
    sources:
      - {{type: rtmp, key: {key("first")}}}
      - {{type: rtmp, key: {key("second")}}}
    ladder: small.yaml
    window: 60s
    loss: {{back_after: 2s}}
  filled:
    source: {{type: rtmp, key: {key("filled")}}}
    ladder: small.yaml
    loss: {{filler: last-frame}}
  hidden:
    source: {{type: rtmp, key: {key("hidden")}}}
    ladder: small.yaml
    loss: {{filler: slate, filler_is: unavailable}}
  rtmp: {{source: {{type: rtmp, key: {key("rtmp")}}}, {passed}}}
  obs: {{source: {{type: rtmp, key: {key("obs")}}}, ladder: passthrough}}
  srt: {{source: {{type: srt, {here}, {srt}}}, {passed}}}
  udp: {{source: {{type: udp, {here}, port: {ports.udp}}}, {passed}}}
  push: {{source: {{type: push, key: {key("push")}}}, {passed}}}
  spoken: {{source: {{type: push, key: {key("spoken")}, audio: [deu, eng]}}, {passed}}}
  dubbed: {{source: {{type: push, key: {key("dubbed")}}}, ladder: small.yaml}}
  rough: {{source: {{type: udp, {here}, port: {ports.rough}}}, ladder: small.yaml}}
  cmaf: {{source: {{type: cmaf, key: {key("cmaf")}}}, {passed}}}
ingest: {{{here}, rtmp_port: {ports.rtmp}, http_port: {ports.http}}}
"""


@pytest.fixture(scope="module")
def ports() -> Ports:
    return Ports.free()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, ports: Ports) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("ingest")
    (folder / "small.yaml").write_text(SMALL)
    with service(folder, config(ports)) as started:
        wait_until(lambda: len(started.events("channel.state_changed")) >= 11, "all channels wait")
        yield started
        assert not started.events("channel.crashed")
        for name in ("first", "second", "filled", "hidden", "rtmp", "srt", "push", "cmaf"):
            assert KEY.format(name) not in started.log


def playlist(running: Service, channel: str, track: str = "low") -> str:
    answer = fetch(f"{running.live(channel)}/{track}/index.m3u8")
    return answer.text if answer.status == 200 else ""


def newest(text: str) -> int:
    numbers = re.findall(r"^(\d+)\.m4s$", text, re.MULTILINE)
    return int(numbers[-1]) if numbers else 0


def grown(running: Service, channel: str, by: int, track: str = "low") -> str:
    """The playlist, once it has so many segments more."""
    edge = newest(playlist(running, channel, track))
    wanted = edge + by if edge else 1

    def found() -> str:
        text = playlist(running, channel, track)
        return text if newest(text) >= wanted else ""

    return wait_until(found, f"{channel} goes on")


def periods(text: str) -> list[list[float]]:
    """Durations of the segments between the discontinuities of a playlist."""
    return [
        [float(said) for said in re.findall(r"#EXTINF:([0-9.]+)", part)]
        for part in text.split("#EXT-X-DISCONTINUITY\n")
    ]


def chosen(running: Service, channel: str) -> list[object]:
    return [e["source"] for e in running.events("source.chosen") if e["channel"] == channel]


@pytest.mark.parametrize("kind", ["rtmp", "srt", "udp", "push"])
def test_any_line_brings_a_feed(running: Service, ports: Ports, kind: str) -> None:
    urls = {
        "rtmp": ports.rtmp_url("rtmp"),
        "srt": f"srt://127.0.0.1:{ports.srt}?passphrase={KEY.format('srt')}",
        "udp": f"udp://127.0.0.1:{ports.udp}",
        "push": f"http://127.0.0.1:{ports.http}/push/{KEY.format('push')}",
    }
    with encoder(urls[kind], PATTERN):
        text = grown(running, kind, 1, "v0")
    assert "#EXT-X-DISCONTINUITY\n" not in text
    for track in ("v0", "a0"):
        segment = f"{running.live(kind)}/{track}/{newest(text)}.m4s"
        assert fetch(segment).status == 200


@pytest.mark.extended
@pytest.mark.parametrize(
    ("name", "tracks"), [("spoken", ["a0", "a1"]), ("dubbed", ["audio", "audio2"])]
)
def test_every_language_is_a_track_in_all_formats(
    running: Service, ports: Ports, name: str, tracks: list[str]
) -> None:
    url = f"http://127.0.0.1:{ports.http}/push/{KEY.format(name)}"
    command = [get_ffmpeg_exe(), "-hide_banner", "-nostdin", "-loglevel", "error"]
    command += ["-re", "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25"]
    command += ["-re", "-f", "lavfi", "-i", "sine=f=440:sample_rate=48000"]
    command += ["-map", "0:v", "-map", "1:a", "-map", "1:a", "-c:v", "libx264", "-g", "24"]
    command += ["-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "aac"]
    command += ["-metadata:s:a:0", "language=eng", "-metadata:s:a:1", "language=deu"]
    command += ["-f", "mpegts", "-method", "PUT", "-chunked_post", "1", url]
    with subprocess.Popen(command) as pushing:
        try:
            grown(running, name, 3, tracks[0])
            live = running.live(name)
            texts = [fetch(f"{live}/{at}").text for at in ("index.m3u8", "index.mpd")]
            smooth = wait_until(lambda: _smooth(live), "a Smooth manifest")
        finally:
            pushing.kill()
    for text in texts:
        assert re.findall(r'(?:LANGUAGE|lang)="(..)"', text) == _order(name)
    said = [language[:2] for language in re.findall(r'Language="(...)"', smooth)]
    assert said == _order(name)
    for track in tracks:
        assert f"{track}/" in texts[0]


def _order(name: str) -> list[str]:
    return ["de", "en"] if name == "spoken" else ["en", "de"]


def _smooth(live: str) -> str:
    answer = fetch(f"{live}/index.ism/Manifest")
    return answer.text if answer.status == 200 else ""


@pytest.mark.extended
def test_a_line_that_loses_jumps_and_breaks_off(running: Service, ports: Ports) -> None:
    """A channel goes on with the remaining media of a feed that has injected faults."""
    faults = ["loss=1%", "jump=4s+3600s", "reconnect=7s+3s,absurd"]
    command = [sys.executable, "-m", "packager", "send", str(footage.train())]
    command += [f"udp://127.0.0.1:{ports.rough}", "--loop"]
    for fault in faults:
        command += ["--fault", fault]

    def is_through() -> bool:
        said = running.events("feed.connected")
        return sum(str(ports.rough) in str(e["source"]) for e in said) >= 2

    with subprocess.Popen(command, cwd=ROOT) as sending:
        try:
            wait_until(is_through, "the line breaks off and is back", 40)
            text = grown(running, "rough", 2)
        finally:
            sending.terminate()
    assert "#EXT-X-DISCONTINUITY\n" in text
    feed = wait_until(lambda: _feed_again(running, "rough"), "the status tells of it")
    assert feed["report"]["continuity_errors"] > 0


def _feed_again(running: Service, channel: str) -> dict[str, Any]:
    """The status of a channel's first source; empty before its encoder has reconnected."""
    status = json.loads(fetch(f"{running.control}/api/status").body)
    said = next(one for one in status["channels"] if one["name"] == channel)
    feed: dict[str, Any] = said["feeds"][0]
    return feed if feed.get("reconnects") else {}


@pytest.mark.extended
def test_a_ladder_that_is_pushed_ready(running: Service, ports: Ports) -> None:
    base = f"http://127.0.0.1:{ports.http}/cmaf/{KEY.format('cmaf')}"
    segment = Fraction("0.96")
    begin = (int(time.time() / segment) + 1) * segment
    track = ["-output_ts_offset", str(float(begin)), "-movflags", "+cmaf+delay_moov+frag_keyframe"]
    track += ["-method", "PUT", "-chunked_post", "1", "-f", "mp4"]
    command = [get_ffmpeg_exe(), "-hide_banner", "-nostdin", "-loglevel", "error"]
    command += ["-re", "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25"]
    command += ["-re", "-f", "lavfi", "-i", "sine=sample_rate=48000"]
    command += ["-map", "0:v", "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p"]
    command += ["-g", "24", "-sc_threshold", "0", *track, f"{base}/Streams(video.cmfv)"]
    command += ["-map", "1:a", "-c:a", "aac", "-frag_duration", "480000"]
    command += [*track, f"{base}/Streams(sound.cmfa)"]
    with subprocess.Popen(command) as pushing:
        try:
            text = grown(running, "cmaf", 3, "video")
        finally:
            pushing.kill()
    assert "#EXT-X-DISCONTINUITY\n" not in text
    assert fetch(f"{running.live('cmaf')}/sound/{newest(text)}.m4s").status == 200


def test_the_second_takes_over_until_the_first_returns(running: Service, ports: Ports) -> None:
    with ExitStack() as stack:
        first: Encoder = stack.enter_context(encoder(ports.rtmp_url("first"), PATTERN))
        wait_until(lambda: len(chosen(running, "two")) == 1, "the first is on air")
        grown(running, "two", 2)
        stack.enter_context(encoder(ports.rtmp_url("second"), PATTERN))
        wait_until(lambda: len(running.events("feed.streams_found")) >= 2, "the second is known")
        first.freeze()
        wait_until(lambda: len(chosen(running, "two")) == 2, "the second is on air")
        text = grown(running, "two", 2)
        before, after = periods(text)
        assert "#EXT-X-GAP" not in text
        # All but the segment in which it was lost are whole.
        assert before[:-1] == pytest.approx([0.96] * (len(before) - 1))
        assert after == pytest.approx([0.96] * len(after))
        first.thaw()
        wait_until(lambda: len(chosen(running, "two")) == 3, "the first is back")
        text = grown(running, "two", 2)
        assert "#EXT-X-GAP" not in text
        *_, before, after = periods(text)
        assert [*before, *after] == pytest.approx([0.96] * len([*before, *after]))


@pytest.mark.extended
def test_a_filler_keeps_the_timeline_going(running: Service, ports: Ports) -> None:
    with encoder(ports.rtmp_url("filled"), PATTERN) as sending:
        wait_until(lambda: "rtmp" in chosen(running, "filled"), "the encoder is on air")
        grown(running, "filled", 2)
        sending.kill()
        wait_until(lambda: chosen(running, "filled")[-1] == "filler", "the filler is on air")
        text = grown(running, "filled", 2)
    # A segment is 0.96 s here: on a busy machine the filler begins one later.
    assert text.count("#EXT-X-GAP") <= 1
    picture = running.folder / "data" / "filled" / "last-frame.png"
    assert picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.extended
def test_a_hidden_filler_is_not_served(running: Service, ports: Ports) -> None:
    def status() -> int:
        return fetch(f"{running.live('hidden')}/index.m3u8").status

    wait_until(lambda: "filler" in chosen(running, "hidden"), "the filler is on air")
    journal = running.folder / "data" / "hidden" / "journal"
    wait_until(lambda: journal.read_bytes().count(b'["s"') >= 2, "segments of the filler")
    assert status() == 503
    with encoder(ports.rtmp_url("hidden"), PATTERN):
        wait_until(lambda: status() == 200, "the encoder's feed is served")
    wait_until(lambda: status() == 503, "the filler is not")


@pytest.mark.extended
@pytest.mark.parametrize(
    "look",
    [
        Look(pattern=True, size="640x360", frame_rate="30", gop=30),
        Look(pattern=True, audio_rate=44_100),
        Look(pattern=True, audio=False),
    ],
    ids=["size and rate", "sound's rate", "no sound"],
)
def test_an_encoder_returns_with_other_settings(running: Service, ports: Ports, look: Look) -> None:
    with encoder(ports.rtmp_url("rtmp"), PATTERN):
        grown(running, "rtmp", 2, "v0")
    with encoder(ports.rtmp_url("rtmp"), look):
        text = grown(running, "rtmp", 3, "v0")
    assert "#EXT-X-DISCONTINUITY\n" in text
    assert fetch(f"{running.live('rtmp')}/index.mpd").status == 200
    states = [e["state"] for e in running.events("channel.state_changed") if e["channel"] == "rtmp"]
    assert "backing-off" not in states


@pytest.mark.extended
def test_obs_connects_and_reconnects(running: Service, ports: Ports, tmp_path: Path) -> None:
    def stream() -> AbstractContextManager[None]:
        return obs(tmp_path, f"rtmp://127.0.0.1:{ports.rtmp}/live", KEY.format("obs"))

    with stream():
        before = grown(running, "obs", 3, "v0")
        report = wait_until(
            lambda: (
                (said := running.status("obs")["feeds"][0]["report"]).get("frame_rate") and said
            ),
            "a report",
        )
        assert (report["video"], report["audio"]) == ("h264", ["aac"])
        said = running.status("obs")["feeds"][0].get("advice", [])
        # OBS drops frames, or sends them late, where the machine is busy.
        assert [line for line in said if not re.search(r"\bframe", line)] == []
    with stream():
        after = grown(running, "obs", 3, "v0")
    assert len(periods(after)) == len(periods(before)) + 1
    assert len(periods(playlist(running, "obs", "a0"))) == len(periods(after))


@pytest.mark.extended
def test_after_a_packager_died_encoders_find_another(running: Service, ports: Ports) -> None:
    def begun() -> int:
        said = running.events("channel.state_changed")
        return [e["state"] for e in said if e["channel"] == "rtmp"].count("waiting")

    before = begun()
    os.kill(running.pid_of("packager"), signal.SIGKILL)
    wait_until(lambda: begun() > before, "another packager waits")
    with encoder(ports.rtmp_url("rtmp"), PATTERN):
        grown(running, "rtmp", 1, "v0")
