import os
from fractions import Fraction
from importlib.resources import files
from pathlib import Path

import pytest

from packager.config.schema.origin import OriginConfig
from packager.config.sources import FileSource, PatternSource
from packager.config.yaml_reader import MAX_TEXT
from packager.host.config_file import load, load_served
from packager.host.ladder_files import shipped_ladders
from tests.support.problems import problems_of

CHECK_PATH = "check the path; a relative one starts from the folder of the file that names it"
SHIPPED = "demo, mobile-360p, passthrough, sports-1080p25, sports-1080p50"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path.resolve() / "ringside.yaml"


def channel(source: str, ladder: str = "demo", more: str = "") -> str:
    return f"data: d\nchannels: {{a: {{source: {{{source}}}, ladder: {ladder}{more}}}}}\n"


def faults(path: Path) -> list[str]:
    """The problems of the configuration in `path`; `{path}` stands for its path."""
    return [
        str(problem).replace(str(path), "{path}") for problem in problems_of(lambda: load(path))
    ]


def test_pattern(path: Path) -> None:
    path.write_text(channel("type: pattern"))
    config = load(path)
    assert (config.path, config.data) == (path, path.parent / "d")
    assert (config.ffmpeg, config.origin) == (None, OriginConfig())
    (loaded,) = config.channels.values()
    assert (loaded.name, loaded.sources) == ("a", (PatternSource(),))
    assert (loaded.ladder_name, loaded.ladder.name) == ("demo", "demo")
    assert (loaded.segment, loaded.window, loaded.retention) == (Fraction(48, 25), 120, 600)


def test_paths_start_from_the_folder_of_the_file(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = path.parent
    (folder / "feeds").mkdir()
    (folder / "feeds" / "a.ts").write_bytes(b"")
    (folder / "b.ts").write_bytes(b"")
    (folder / "mine.yaml").write_text("mode: passthrough\nsegment: 6s")
    source = f"type: file, file: [feeds/a.ts, {folder}/b.ts], loop: true"
    text = channel(source, "./mine.yaml", ", segment: 4s")
    path.write_text(text + "ffmpeg: bin/ffmpeg\n")
    monkeypatch.chdir(folder / "feeds")
    config = load(Path("../ringside.yaml"))
    loaded = config.channels["a"]
    expected = (str(folder / "feeds" / "a.ts"), str(folder / "b.ts"))
    assert loaded.sources == (FileSource(files=expected, loop=True),)
    assert (loaded.ladder_name, loaded.segment) == ("mine", 4)
    assert config.data == folder / "d"
    assert config.ffmpeg == str(folder / "bin" / "ffmpeg")


def test_a_program_is_looked_up_elsewhere(path: Path) -> None:
    path.write_text(channel("type: pattern") + "ffmpeg: ffmpeg")
    assert load(path).ffmpeg == "ffmpeg"


def test_the_demo() -> None:
    profiles = Path(str(files("profiles")))
    config = load(profiles / "demo.yaml")
    assert config.data == profiles.parent.resolve() / "data"
    assert list(config.channels) == ["demo"]
    assert config.channels["demo"].ladder_name == "demo"


@pytest.mark.parametrize("name", shipped_ladders())
def test_every_shipped_ladder_can_be_named(path: Path, name: str) -> None:
    (path.parent / "a.ts").write_bytes(b"")
    path.write_text(channel("type: file, file: a.ts", name))
    assert load(path).channels["a"].ladder_name == name


def test_no_file(path: Path) -> None:
    assert faults(path) == [f"{{path}}: No such file or directory: {CHECK_PATH}"]


def test_folder(tmp_path: Path) -> None:
    assert faults(tmp_path) == [f"{{path}}: a folder, not a file: {CHECK_PATH}"]


def test_pipe(path: Path) -> None:
    os.mkfifo(path)
    assert faults(path) == [f"{{path}}: not a regular file: {CHECK_PATH}"]


def test_not_utf8(path: Path) -> None:
    path.write_bytes(b"data: \xff")
    assert faults(path) == ["{path}: not UTF-8 (byte 6): save it as UTF-8"]


def test_too_long(path: Path) -> None:
    path.write_bytes(b"#" * (MAX_TEXT + 1))
    assert faults(path) == ["{path}: longer than 256 KiB: remove comments, or split it"]


def test_not_readable(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.write_text("")

    def refuse(*_: object) -> bool:
        return False

    monkeypatch.setattr(os, "access", refuse)
    assert faults(path) == [f"{{path}}: no permission to read it: {CHECK_PATH}"]


def test_fault_in_the_text(path: Path) -> None:
    path.write_text("data: d")
    assert faults(path) == [
        (
            "{path}:1:1: channels: missing: "
            "add `channels: {demo: {source: {type: pattern}, ladder: demo}}`"
        )
    ]


@pytest.mark.parametrize("name", ["sports", "demo.yml", "../ladders/demo", ".", "/"])
def test_unknown_ladder(path: Path, name: str) -> None:
    path.write_text(channel("type: pattern", name))
    assert faults(path) == [
        (
            f"{{path}}:2:49: channels.a.ladder: no ladder {name!r}: use {SHIPPED},"
            " or a path ending in .yaml"
        )
    ]


def test_missing_ladder_file(path: Path) -> None:
    path.write_text(channel("type: pattern", "my/x.yaml"))
    missing = path.parent / "my" / "x.yaml"
    assert faults(path) == [
        f"{{path}}:2:49: channels.a.ladder: {missing}: No such file or directory: {CHECK_PATH}"
    ]


def test_fault_in_a_ladder_names_its_file(path: Path) -> None:
    path.write_text(channel("type: pattern", "x.yaml"))
    ladder = path.parent / "x.yaml"
    ladder.write_text("mode: passthrough\nsegment: 0.1s")
    assert faults(path) == [
        f"{ladder}:2:10: segment: expected 0.5s to 20s, got 0.1s: use for example 1.92s"
    ]
    ladder.write_bytes(b"\x80")
    assert faults(path) == [
        f"{{path}}:2:49: channels.a.ladder: {ladder}: not UTF-8 (byte 0): save it as UTF-8"
    ]


def test_channel_and_ladder_do_not_fit(path: Path) -> None:
    path.write_text(channel("type: pattern", "passthrough"))
    assert faults(path) == [
        (
            "{path}:2:49: channels.a.ladder: 'passthrough' copies streams,"
            " and a test pattern has to be encoded: use a ladder with mode: encode"
        )
    ]
    path.write_text(channel("type: pattern", "demo", ", window: 10m"))
    assert faults(path) == [
        (
            "{path}:2:15: channels.a.retention: 600s is less than the window and 4 segments, "
            "607.68s: use 607.68s or more"
        )
    ]


def test_source_files_must_be_there(path: Path) -> None:
    (path.parent / "a.ts").write_bytes(b"")
    path.write_text(channel("type: file, file: [a.ts, b.ts]", "passthrough"))
    missing = path.parent / "b.ts"
    remedy = "check the path and the permissions of the file"
    place = "{path}:2:50: channels.a.source.file[1]"
    assert faults(path) == [f"{place}: {missing}: No such file or directory: {remedy}"]
    missing.mkdir()
    assert faults(path) == [f"{place}: {missing}: a folder, not a file: {remedy}"]


def test_names_that_no_file_can_have(path: Path) -> None:
    path.write_text(channel(f"type: file, file: {'x' * 5000}", "passthrough"))
    (line,) = faults(path)
    assert line.startswith("{path}:2:43: channels.a.source.file: ")


def test_links_in_a_circle(path: Path) -> None:
    (path.parent / "a.ts").symlink_to(path.parent / "a.ts")
    path.write_text(channel("type: file, file: a.ts", "passthrough"))
    (line,) = faults(path)
    assert line.startswith("{path}:2:43: channels.a.source.file: ")


MANY = """\
data: d
origin: {port: 0, control_prot: 9}
ingest: {rtmps_port: 1936, certificate: cert.pem, certificate_key: key.pem}
channels:
  a:
    source: {type: file, file: missing.ts}
    ladder: nosuch
    window: 10
  b:
    source: {type: srt, port: 9000, url: "srt://x:1"}
    ladder: broken.yaml
    loss: {filler: slate, slate: grey.png}
  c:
    source: {type: udp, port: 5000}
    ladder: demo
    window: 1h
    events: {final: {start: 2026-01-01T18:00:00Z, end: 2026-01-01T17:00:00Z}}
  c:
    ladder: demo
"""


def test_all_problems_of_all_files_are_reported_at_once(path: Path) -> None:
    path.write_text(MANY)
    (path.parent / "broken.yaml").write_text("mode: encode\nframe_rate: 25\nsegment: 1.92\n")
    found = problems_of(lambda: load(path))
    assert [(Path(one.file).name, one.line, one.path) for one in found] == [
        ("ringside.yaml", 2, "origin.port"),
        ("ringside.yaml", 2, "origin.control_prot"),
        ("ringside.yaml", 3, "ingest.certificate"),
        ("ringside.yaml", 3, "ingest.certificate_key"),
        ("ringside.yaml", 6, "channels.a.source.file"),
        ("ringside.yaml", 7, "channels.a.ladder"),
        ("ringside.yaml", 8, "channels.a.window"),
        ("ringside.yaml", 10, "channels.b.source"),
        ("ringside.yaml", 12, "channels.b.loss.slate"),
        ("ringside.yaml", 14, "channels.c.retention"),
        ("ringside.yaml", 17, "channels.c.events.final.end"),
        ("ringside.yaml", 18, "channels.c"),
        ("broken.yaml", 1, "video"),
        ("broken.yaml", 1, "audio"),
        ("broken.yaml", 3, "segment"),
    ]


def test_the_origin_needs_no_source_file_and_no_secret_of_an_encoder(path: Path) -> None:
    path.write_text(
        channel("type: rtmp, key: $NOT_SET", "nosuch", ", window: 20s, loss: {filler: slate}")
    )
    assert load_served(path).channels["a"].window == 20
    assert [problem.path for problem in problems_of(lambda: load(path))] == [
        "channels.a.source.key",
        "channels.a.ladder",
    ]


def test_the_origin_refuses_keys_that_no_channel_has(path: Path) -> None:
    path.write_text(channel("type: pattern", "demo", ", windw: 20s, latncy: low"))
    assert [str(problem) for problem in problems_of(lambda: load_served(path))] == [
        f"{path}:2:55: channels.a.windw: unknown key: did you mean window?",
        f"{path}:2:67: channels.a.latncy: unknown key: did you mean latency?",
    ]
