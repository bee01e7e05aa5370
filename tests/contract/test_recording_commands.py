"""What `ringside record`, `extract` and `send` say when they cannot."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from packager.cli import main
from tests.support.encoder import TRAIN
from tests.support.service import free_port

URL = "udp://127.0.0.1:9"


@pytest.fixture(autouse=True)
def log_as_before() -> Iterator[None]:
    """A command configures the log of its whole process."""
    before = structlog.get_config()
    yield
    structlog.configure(**before)


def said(capsys: pytest.CaptureFixture[str], code: int, *arguments: str) -> str:
    """The line on standard error of a command that exits with `code`."""
    with pytest.raises(SystemExit) as error:
        main(arguments)
    line = capsys.readouterr().err
    assert error.value.code == code, line
    assert line.count("\n") == 1
    return line


def test_what_cannot_be_recorded(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    there, new = tmp_path / "there", tmp_path / "new"
    there.write_bytes(b"x")
    nobody = f"udp://127.0.0.1:{free_port()}"
    for arguments, code, wanted in (
        (["ftp://a", "--out", str(new)], 2, "not a source: 'ftp'"),
        (["udp://127.0.0.1", "--out", str(new)], 2, "not a source: 'udp'"),
        (["srt://[::", "--out", str(new)], 2, "not a source"),
        ([URL, "--out", str(there)], 2, "there exists: a recording starts with nothing"),
        ([URL, "--out", str(new), "--for", "soon"], 2, "--for: not a duration"),
        ([nobody, "--out", str(new), "--for", "200ms"], 1, "nothing came"),
    ):
        assert wanted in said(capsys, code, "record", *arguments)
    assert not new.exists()


def test_what_of_a_channel_cannot_be_recorded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "ringside.yaml"
    config.write_text(
        "data: data\nchannels:\n  tv:\n    ladder: passthrough\n    sources:\n"
        f"      - {{type: file, file: {TRAIN}, loop: true}}\n"
        "      - {type: rtmp, key: correct-horse-battery-staple}\n"
        f"ingest: {{host: 127.0.0.1, rtmp_port: {free_port()}}}\n"
    )
    for arguments, code, wanted in (
        (["tv", "3"], 2, "tv: source 3 of 2 is none"),
        (["tv"], 2, "nobody sends it"),
        (["tv", "2", "--for", "200ms"], 1, "nothing came"),
        (["radio"], 2, "'radio': no such channel"),
    ):
        out = str(tmp_path / "new")
        assert wanted in said(capsys, code, "record", "-c", str(config), *arguments, "--out", out)


def test_what_cannot_be_sent(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    there, train = tmp_path / "there", str(TRAIN)
    there.write_bytes(b"x")
    push = f"http://127.0.0.1:{free_port()}/push/secret-key"
    for arguments, code, wanted in (
        ([str(there), URL], 2, "neither a recording nor"),
        ([train, "nowhere"], 2, "not a target"),
        ([train, URL, "--fault", "flood=1s"], 2, "--fault not a fault: 'flood=1s'"),
        ([train, URL, "--speed", "0"], 2, "--speed '0': a factor from"),
        ([train, URL, "--speed", "x"], 2, "--speed 'x': a factor from"),
        ([train, push], 1, "http://127.0.0.1:"),
    ):
        line = said(capsys, code, "send", *arguments)
        assert wanted in line
        assert "secret-key" not in line


def test_what_cannot_be_taken_apart(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = str(tmp_path / "out")
    assert "not a recording" in said(capsys, 2, "extract", str(TRAIN), "--out", out)
    assert "No such file" in said(capsys, 2, "extract", str(tmp_path / "no"), "--out", out)
