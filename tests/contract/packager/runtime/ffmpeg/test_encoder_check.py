"""Encoders of ladders, as real ffmpegs know them. No device is needed: none of these encodes."""

import re
import subprocess
from functools import cache
from pathlib import Path
from typing import get_args

import pytest

from packager.cli.main import main
from packager.config.ladder import EncoderName, VideoRendition
from packager.config.parse import parse_ladder
from packager.errors import ConfigError
from packager.ffmpeg.encoders import NEEDS, encoder_options
from packager.runtime.ffmpeg import encoder_check
from packager.runtime.ffmpeg import program as ffmpeg_program

OURS = ffmpeg_program.find(None)
OLDEST = "/usr/bin/ffmpeg"
ENCODERS: tuple[EncoderName, ...] = get_args(EncoderName)
HARDWARE = ENCODERS[1:]
GENERAL = {"c:v", "b:v", "maxrate", "bufsize", "bf", "g", "flags", "threads", "keyint_min"}
"""Options of every encoder."""


@cache
def help_of(program: str, codec: str) -> str:
    command = [program, "-hide_banner", "-h", f"encoder={codec}"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("program", [OURS, OLDEST], ids=["ours", "oldest"])
@pytest.mark.parametrize("encoder", ENCODERS)
def test_every_option_is_one_that_ffmpeg_has(program: str, encoder: EncoderName) -> None:
    codec = NEEDS[encoder].codec
    assert codec in ffmpeg_program.encoders(program)
    text = help_of(program, codec)
    known = set(re.findall(r"^ +-(\S+)", text, re.MULTILINE)) | {"sc_threshold"}
    for preset in ("ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow"):
        rung = VideoRendition(id="a", width=640, height=360, bitrate=800_000, preset=preset)  # type: ignore[arg-type]
        options = encoder_options(encoder, rung, 48, 4)
        for name, value in options.items():
            if name in GENERAL:
                continue
            assert name.removesuffix(":v") in known, name
            # x264's own words are not in ffmpeg's help.
            if isinstance(value, str) and encoder != "x264":
                assert re.search(rf"^ +{value} ", text, re.MULTILINE), (name, value)


def ladder(encoder: str, rung: str = "") -> str:
    return (
        f"mode: encode\nframe_rate: 25\nsegment: 2s\nencoder: {encoder}\nvideo:\n"
        f"  - {{id: a, width: 320, height: 180, bitrate: 300k{rung}}}\naudio: {{}}\n"
    )


def reason(text: str, dev: Path, program: str = OURS, *, try_out: bool = True) -> str:
    with pytest.raises(ConfigError) as caught:
        encoder_check.check(
            program, [parse_ladder(text, "fight.yaml", "fight")], try_out=try_out, dev=dev
        )
    return str(caught.value)


@pytest.mark.parametrize(
    ("encoder", "problem"),
    [
        ("nvenc", "this machine has no NVIDIA encoder (no {}/nvidia0)"),
        ("qsv", "this machine has no Intel encoder (no {}/dri/renderD128)"),
        ("vaapi", "this machine has no VA-API encoder (no {}/dri/renderD128)"),
    ],
)
def test_a_machine_without_the_device(tmp_path: Path, encoder: str, problem: str) -> None:
    expected = f"fight.yaml: encoder: {encoder}: {problem.format(tmp_path)}"
    assert reason(ladder(encoder), tmp_path) == expected
    own = ladder("x264", f", encoder: {encoder}")
    assert reason(own, tmp_path, try_out=False).startswith(
        f"fight.yaml: video[0].encoder: {encoder}"
    )


def test_all_encoders_that_are_missing_are_reported_at_once(tmp_path: Path) -> None:
    other = "  - {id: b, width: 160, height: 90, bitrate: 100k}\naudio"
    text = ladder("nvenc", ", encoder: vaapi").replace("audio", other)
    lines = reason(text, tmp_path).splitlines()
    assert [line.split(": ")[1] for line in lines] == ["video[0].encoder", "encoder"]


def devices(folder: Path) -> Path:
    """Files with the names of both kinds of devices."""
    (folder / "dri").mkdir()
    for name in ("nvidia0", "dri/renderD128"):
        (folder / name).touch()
    return folder


@pytest.mark.parametrize("program", [OURS, OLDEST], ids=["ours", "oldest"])
@pytest.mark.parametrize("encoder", HARDWARE)
def test_a_device_that_does_not_work_is_found_by_trying(
    tmp_path: Path, program: str, encoder: str
) -> None:
    dev = devices(tmp_path)
    parsed = parse_ladder(ladder(encoder), "fight.yaml", "fight")
    encoder_check.check(program, [parsed], try_out=False, dev=dev)
    if any(Path("/dev").glob(NEEDS[parsed.encoder_of(parsed.video[0])].devices)):  # type: ignore[union-attr]
        encoder_check.check(program, [parsed])
        return
    problem = reason(ladder(encoder), dev, program)
    assert problem.startswith(
        f"fight.yaml: encoder: {encoder}: it does not work here, is its driver"
    )
    assert re.search("Cannot load|Device creation failed", problem), "options were taken"


def test_x264_is_not_tried_out(tmp_path: Path) -> None:
    passthrough = parse_ladder("mode: passthrough\nsegment: 2s\n", "p.yaml", "p")
    encoder_check.check(
        OURS, [parse_ladder(ladder("x264"), "x.yaml", "x"), passthrough], dev=tmp_path
    )


@pytest.mark.parametrize("command", ["check", "run", "packager"])
def test_an_ffmpeg_without_the_encoder(
    tmp_path: Path, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    bare = tmp_path / "bare"
    bare.write_text('#!/bin/sh\n[ "$1" != -version ] || echo ffmpeg version 9.0\n')
    bare.chmod(0o755)
    (tmp_path / "fight.yaml").write_text(ladder("x264"))
    config = tmp_path / "ringside.yaml"
    config.write_text(
        f"data: data\nffmpeg: {bare}\nchannels:\n"
        "  fight: {source: {type: pattern}, ladder: fight.yaml}\n"
    )
    with pytest.raises(SystemExit) as caught:
        main([command, "-c", str(config)])
    assert caught.value.code == 2
    assert capsys.readouterr().err == (
        f"{tmp_path}/fight.yaml: encoder: x264: "
        "this ffmpeg has no libx264: set `ffmpeg:` to one that has\n"
    )
    assert not (tmp_path / "data").exists()
