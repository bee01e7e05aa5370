"""Probes of files, of feeds through ffmpeg, and of unreadable targets."""

import asyncio
import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import imageio_ffmpeg
import pytest

from packager.diagnostics.probe_report import ProbeResult, as_json
from packager.errors import SetupError
from packager.host.ladder_files import load_ladder
from packager.runtime.tools.probe import ProbeJob, run
from tests.support import footage
from tests.support.service import free_port

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()
TRAIN = str(footage.train())


def probe(
    target: object, *, ladder: str | None = None, seconds: int | None = None, program: int = 0
) -> ProbeResult:
    wanted = None if ladder is None else load_ladder(ladder, Path(), "")
    return asyncio.run(run(ProbeJob(str(target), seconds, wanted, program or None, FFMPEG)))


def ffmpeg(*arguments: str) -> None:
    subprocess.run([FFMPEG, "-v", "error", "-nostdin", *arguments], check=True)


def test_a_transport_stream_is_read_as_it_is_to_its_end_or_for_some_seconds() -> None:
    whole, some = probe(TRAIN), probe(TRAIN, seconds=3)
    assert whole.advice == some.advice == []
    assert whole.report.keyframe_interval == some.report.keyframe_interval == 2.0
    assert whole.report.bitrate != some.report.bitrate
    assert whole.report.clock_ppm is None


def test_long_groups_of_pictures_are_named(tmp_path: Path) -> None:
    out = tmp_path / "long.ts"
    ffmpeg(
        "-f", "lavfi", "-i", "testsrc2=size=160x90:rate=25:duration=11",
        "-f", "lavfi", "-i", "sine=sample_rate=48000:duration=11",
        "-c:v", "libx264", "-preset", "ultrafast", "-g", "250", "-keyint_min", "250",
        "-c:a", "aac", str(out),
    )  # fmt: skip
    found = probe(out, ladder="passthrough")
    assert found.report.keyframe_interval == 10.0
    wanted = "keyframe interval is 10 s: in passthrough, segments of 1.92 s need a keyframe each"
    assert found.advice == [wanted]


@pytest.mark.parametrize("ending", ["flv", "mp4", "mkv"])
def test_other_files_are_read_too(tmp_path: Path, ending: str) -> None:
    out = tmp_path / f"train.{ending}"
    ffmpeg("-i", TRAIN, "-c", "copy", str(out))
    found = probe(out)
    assert found.advice == []
    report = found.report
    assert report.frame_rate == pytest.approx(30, rel=0.0005)
    assert (report.keyframe_interval, report.video, report.audio) == (2.0, "h264", ("aac",))
    values = json.loads(as_json(found))
    assert values["streams"]["video"][0]["width"] == 640
    assert values["report"]["continuity_errors"] == 0


def test_audio_alone_has_no_video(tmp_path: Path) -> None:
    out = tmp_path / "sound.m4a"
    ffmpeg("-i", TRAIN, "-vn", "-c", "copy", str(out))
    assert probe(out).advice == ["no video"]


def test_no_channel_can_pass_mpeg2_through() -> None:
    found = probe(footage.with_cues(), ladder="passthrough")
    assert found.advice == ["codec mpeg2video cannot be passed through: encode it with a ladder"]


@contextmanager
def sending(*output: str) -> Iterator[None]:
    """An encoder that sends a looped file."""
    command = [FFMPEG, "-v", "quiet", "-nostdin", "-re", "-stream_loop", "-1", "-i", TRAIN]
    sender = subprocess.Popen([*command, "-c", "copy", *output])
    try:
        yield
    finally:
        sender.kill()
        sender.wait()


@pytest.mark.parametrize(("scheme", "form"), [("udp", "mpegts"), ("rtp", "rtp_mpegts")])
def test_a_feed_on_a_port_is_inspected_in_real_time(scheme: str, form: str) -> None:
    url = f"{scheme}://127.0.0.1:{free_port()}"
    with sending("-f", form, f"{url}?pkt_size=1316"):
        found = probe(url, seconds=2)
    assert found.name == url
    assert found.info is not None
    assert found.info.video[0].width == 640
    report = found.report
    assert (report.video, report.audio, report.frame_rate) == ("h264", ("aac",), 30.0)
    assert report.junk_bytes == report.continuity_errors == 0


def test_a_program_of_several_can_be_chosen(tmp_path: Path) -> None:
    out = tmp_path / "two.ts"
    ffmpeg(
        "-i", str(footage.mpeg2()), "-i", TRAIN,
        "-map", "0:v", "-map", "1:v", "-map", "1:a", "-c", "copy",
        "-program", "program_num=3:st=0", "-program", "program_num=4:st=1:st=2", str(out),
    )  # fmt: skip
    assert probe(out).report.video == "mpeg2video"
    chosen = probe(out, program=4).report
    assert (chosen.video, chosen.audio) == ("h264", ("aac",))
    with pytest.raises(SetupError, match=r"two\.ts: no program 9: the transport stream has 3, 4$"):
        probe(out, program=9)


def test_an_unreadable_target_is_one_line_without_secrets(tmp_path: Path) -> None:
    noise = tmp_path / "noise.ts"
    noise.write_bytes(b"no media " * 1000)
    port = free_port()
    for target, name in (
        (tmp_path / "none.ts", f"{tmp_path}/none.ts"),
        (noise, str(noise)),
        (f"rtmp://127.0.0.1:{port}/live/SECRET", f"rtmp://127.0.0.1:{port}"),
        (f"http://user:SECRET@127.0.0.1:{port}/SECRET", f"http://127.0.0.1:{port}"),
    ):
        with pytest.raises(SetupError) as caught:
            probe(target)
        message = str(caught.value)
        assert message.startswith(f"{name}: ")
        assert "\n" not in message
        assert "SECRET" not in message
