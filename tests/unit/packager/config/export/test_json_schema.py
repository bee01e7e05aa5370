"""The JSON schemas: what editors accept, and what they mark."""

import re
from importlib.resources import files
from pathlib import Path
from typing import Any, ClassVar

import pytest
import yaml
from jsonschema import Draft202012Validator

from packager.cli.main import main
from packager.config.export.json_schema import config_schema, device_schema, ladder_schema
from packager.config.parse import parse_config, parse_device, parse_ladder
from packager.errors import ConfigError

PROFILES = Path(str(files("profiles")))
CONFIGS = sorted(PROFILES.glob("*.yaml"))
LADDERS = sorted(PROFILES.glob("ladders/*.yaml"))
DEVICES = sorted(PROFILES.glob("devices/*.yaml"))

FULL = """\
data: ./data
ffmpeg: /usr/bin/ffmpeg
ingest: {host: 10.0.0.1, rtmp_port: 1935, rtmps_port: null}
origin: {port: 80, cdn: fastly, memory: 512M, access_log: off, prefetch_hint: true}
devices: {old-tv: {latency: standard, max_height: 720, max_bitrate: 3.5M, max_frame_rate: 29.97}}
channels:
  arena:
    sources:
      - {type: srt, port: 9000, latency: 200ms, passphrase: $PASSPHRASE}
      - {type: udp, port: 5000, audio: [eng, deu], program: 1}
      - {type: file, file: a.ts, loop: true}
    ladder: sports-1080p25
    segment: 1.92s
    window: 2h
    retention: 1d
    retention_size: 1.5T
    events: {final: {start: 2026-01-01T18:00:00Z, pin: true}}
    access: {token_keys: $KEY_ONE, cdn_secrets: {fastly: [$KEY_ONE, $KEY_TWO]}}
    loss: {no_data: 500ms, black: never, frozen: 5s, filler: slate}
    latency: low
"""
ENVIRONMENT = {name: f"secret-{name:_>12}" for name in ("PASSPHRASE", "KEY_ONE", "KEY_TWO")}

LADDER = """\
mode: encode
frame_rate: 30000/1001
segment: 2.002s
video:
  - {id: hi, width: 1280, height: 720, bitrate: 3.5M, preset: slow}
  - {id: lo, width: 640, height: 360, bitrate: 801000, bframes: 0}
audio: {bitrate: 96k, channels: 1, sample_rate: 44100}
"""


class CoreLoader(yaml.SafeLoader):
    """Reads scalars as editors do: by the core schema of YAML 1.2, without dates."""

    yaml_implicit_resolvers: ClassVar[dict[str, list[tuple[str, re.Pattern[str]]]]] = {}


for tag, pattern, first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?[0-9]+", "-+0123456789"),
    ("float", r"[-+]?[0-9]+\.[0-9]+", "-+0123456789"),
    ("null", r"~|null|Null|NULL|", "~nN"),
):
    CoreLoader.add_implicit_resolver(
        f"tag:yaml.org,2002:{tag}", re.compile(rf"^(?:{pattern})$"), [*first]
    )


def faults(schema: Any, text: str) -> list[str]:
    node = yaml.load(text, Loader=CoreLoader)  # noqa: S506 - a SafeLoader
    return [error.message for error in Draft202012Validator(schema).iter_errors(node)]


@pytest.mark.parametrize("schema", [config_schema(), ladder_schema(), device_schema()])
def test_a_schema_is_valid_itself(schema: dict[str, Any]) -> None:
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_shipped_configurations(path: Path) -> None:
    assert faults(config_schema(), path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("path", LADDERS, ids=lambda path: path.stem)
def test_shipped_ladders(path: Path) -> None:
    assert faults(ladder_schema(), path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("path", DEVICES, ids=lambda path: path.stem)
def test_shipped_devices(path: Path) -> None:
    assert faults(device_schema(), path.read_text(encoding="utf-8")) == []


def test_a_full_configuration_is_accepted_by_parser_and_schema() -> None:
    parse_config(FULL, "r.yaml", ENVIRONMENT)
    assert faults(config_schema(), FULL) == []


def test_a_full_ladder_is_accepted_by_parser_and_schema() -> None:
    parse_ladder(LADDER, "x.yaml", "x")
    assert faults(ladder_schema(), LADDER) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("data: ./data\n", ""),
        ("data:", "dat:"),
        ("port: 80", "port: 0"),
        ("port: 80", "port: http"),
        ("fastly, memory", "bunny, memory"),
        ("512M", "512"),
        ("prefetch_hint: true", "prefetch_hint: yes"),
        ("type: srt", "type: dvb"),
        ("type: srt, port: 9000", "type: srt"),
        ("port: 9000", "port: 9000, url: 'srt://a:1'"),
        ("audio: [eng, deu]", "audio: [English]"),
        ("file: a.ts, ", ""),
        ("    ladder: sports-1080p25\n", ""),
        ("segment: 1.92s", "segment: 1.92"),
        ("1.5T", "lots"),
        ("start: 2026-01-01T18:00:00Z, ", ""),
        ("pin: true", "pinn: true"),
        ("$KEY_ONE, cdn", "short, cdn"),
        ("black: never", "black: always"),
        ("latency: low", "latency: lowest"),
        ("max_height: 720", "max_height: 720p"),
        ("  arena:", "  Arena:"),
        ("    sources:", "    source: {type: pattern}\n    sources:"),
    ],
)
def test_a_broken_configuration_is_refused_by_parser_and_schema(old: str, new: str) -> None:
    text = FULL.replace(old, new, 1)
    assert text != FULL
    with pytest.raises(ConfigError):
        parse_config(text, "r.yaml", ENVIRONMENT)
    assert faults(config_schema(), text)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("mode: encode\n", ""),
        ("mode: encode", "mode: copy"),
        ("30000/1001", "fast"),
        ("2.002s", "2.002"),
        ("id: lo, ", ""),
        ("width: 640", "width: 641"),
        ("bitrate: 3.5M", "bitrate: 3.5m"),
        ("801000", "801"),
        ("preset: slow", "preset: placebo"),
        ("bframes: 0", "bframes: 5"),
        ("channels: 1", "channels: 6"),
        ("audio:", "sound:"),
    ],
)
def test_a_broken_ladder_is_refused_by_parser_and_schema(old: str, new: str) -> None:
    text = LADDER.replace(old, new, 1)
    assert text != LADDER
    with pytest.raises(ConfigError):
        parse_ladder(text, "x.yaml", "x")
    assert faults(ladder_schema(), text)


@pytest.mark.parametrize("text", ["max_height: 720p", "max_bitrate: fast", "height: 720"])
def test_a_broken_device_is_refused_by_parser_and_schema(text: str) -> None:
    with pytest.raises(ConfigError):
        parse_device(text, "x.yaml")
    assert faults(device_schema(), text)


def test_every_key_has_a_description() -> None:
    for schema in (config_schema(), ladder_schema(), device_schema()):
        definitions: Any = schema["$defs"]
        for name, definition in definitions.items():
            assert definition["description"], name
            for key, of in definition["properties"].items():
                assert "const" in of or of["description"].endswith("."), (name, key)


@pytest.mark.parametrize(
    ("words", "title"),
    [
        ([], "Ringside configuration"),
        (["config"], "Ringside configuration"),
        (["ladder"], "Ringside ladder"),
        (["device"], "Ringside device"),
    ],
)
def test_the_command_prints_it(
    words: list[str], title: str, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["schema", *words])
    assert yaml.safe_load(capsys.readouterr().out)["title"] == title
