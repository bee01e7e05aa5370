import os
from fractions import Fraction
from importlib.resources import files
from pathlib import Path

import pytest

from packager.config import OriginConfig
from packager.errors import ConfigError
from packager.runtime.config_file import load, shipped_ladders
from packager.source import FileSource, PatternSource
from packager.yaml_text import MAX_TEXT

SHIPPED = "demo, mobile-360p, passthrough, sports-1080p25, sports-1080p50"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path.resolve() / "ringside.yaml"


def channel(source: str, ladder: str = "demo", more: str = "") -> str:
    return f"data: d\nchannels: {{a: {{source: {{{source}}}, ladder: {ladder}{more}}}}}\n"


def fault(path: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert caught.value.__cause__ is None
    return str(caught.value)


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
    assert fault(path) == f"{path}: No such file or directory"


def test_folder(tmp_path: Path) -> None:
    assert fault(tmp_path) == f"{tmp_path}: a folder, not a file"


def test_pipe(path: Path) -> None:
    os.mkfifo(path)
    assert fault(path) == f"{path}: not a regular file"


def test_not_utf8(path: Path) -> None:
    path.write_bytes(b"data: \xff")
    assert fault(path) == f"{path}: not UTF-8 (byte 6)"


def test_too_long(path: Path) -> None:
    path.write_bytes(b"#" * (MAX_TEXT + 1))
    assert fault(path) == f"{path}: longer than 256 KiB"


def test_not_readable(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.write_text("")

    def refuse(*_: object) -> bool:
        return False

    monkeypatch.setattr(os, "access", refuse)
    assert fault(path) == f"{path}: no permission to read it"


def test_fault_in_the_text(path: Path) -> None:
    path.write_text("data: d")
    assert fault(path) == f"{path}: channels: missing"


@pytest.mark.parametrize("name", ["sports", "demo.yml", "../ladders/demo", ".", "/"])
def test_unknown_ladder(path: Path, name: str) -> None:
    path.write_text(channel("type: pattern", name))
    assert fault(path) == (
        f"{path}: channels.a.ladder: no ladder {name!r}: there are {SHIPPED},"
        " or give a path ending in .yaml"
    )


def test_missing_ladder_file(path: Path) -> None:
    path.write_text(channel("type: pattern", "my/x.yaml"))
    missing = path.parent / "my" / "x.yaml"
    assert fault(path) == f"{path}: channels.a.ladder: {missing}: No such file or directory"


def test_fault_in_a_ladder_names_its_file(path: Path) -> None:
    path.write_text(channel("type: pattern", "x.yaml"))
    ladder = path.parent / "x.yaml"
    ladder.write_text("mode: passthrough\nsegment: 0.1s")
    assert fault(path) == f"{ladder}: segment: expected 0.5s to 20s, got 0.1s"
    ladder.write_bytes(b"\x80")
    assert fault(path) == f"{path}: channels.a.ladder: {ladder}: not UTF-8 (byte 0)"


def test_channel_and_ladder_do_not_fit(path: Path) -> None:
    path.write_text(channel("type: pattern", "passthrough"))
    assert fault(path) == (
        f"{path}: channels.a.ladder: 'passthrough' encodes nothing,"
        " and a test pattern has to be encoded"
    )
    path.write_text(channel("type: pattern", "demo", ", window: 10m"))
    assert fault(path) == (
        f"{path}: channels.a.retention: 600s is less than the window and 4 segments, 607.68s"
    )


def test_source_files_must_be_there(path: Path) -> None:
    (path.parent / "a.ts").write_bytes(b"")
    path.write_text(channel("type: file, file: [a.ts, b.ts]", "passthrough"))
    missing = path.parent / "b.ts"
    assert fault(path) == f"{path}: channels.a.source.file: {missing}: No such file or directory"
    missing.mkdir()
    assert fault(path) == f"{path}: channels.a.source.file: {missing}: a folder, not a file"


def test_names_that_no_file_can_have(path: Path) -> None:
    path.write_text(channel(f"type: file, file: {'x' * 5000}", "passthrough"))
    assert fault(path).startswith(f"{path}: channels.a.source.file: ")


def test_links_in_a_circle(path: Path) -> None:
    (path.parent / "a.ts").symlink_to(path.parent / "a.ts")
    path.write_text(channel("type: file, file: a.ts", "passthrough"))
    assert fault(path).startswith(f"{path}: channels.a.source.file: ")
