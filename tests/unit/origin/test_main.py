import os
import sys
from pathlib import Path

import pytest

from origin.__main__ import main
from packager.config.yaml_reader import MAX_TEXT


def refused(path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> str:
    """The one line that the origin prints about a configuration before exit code 2."""
    monkeypatch.setattr(sys, "argv", ["origin", "-c", str(path)])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 2
    output = capsys.readouterr()
    assert output.out == ""
    return output.err


def pipe(path: Path) -> None:
    os.mkfifo(path)


def long(path: Path) -> None:
    path.write_bytes(b"#" * (MAX_TEXT + 1))


def latin(path: Path) -> None:
    path.write_bytes(b"data: \xff")


def wrong(path: Path) -> None:
    path.write_text("data: d")


@pytest.mark.timeout(10)
@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (None, ": No such file or directory"),
        (Path.mkdir, ": a folder, not a file"),
        (pipe, ": not a regular file"),
        (long, ": longer than 256 KiB"),
        (latin, ": not UTF-8 (byte 6)"),
        (wrong, ":1:1: channels: missing"),
    ],
)
def test_a_configuration_that_cannot_be_read(
    make: object,
    reason: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / "ringside.yaml"
    if callable(make):
        make(path)
    assert refused(path, monkeypatch, capsys).startswith(f"{path}{reason}: ")
