"""`ringside record`, `extract` and `send` with a wrong command line or an unusable file."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from packager.cli.main import main
from tests.support import footage
from tests.support.service import free_port

URL = "udp://127.0.0.1:9"
TRAIN = footage.train()


@pytest.fixture(autouse=True)
def log_as_before() -> Iterator[None]:
    """A command configures the log of its whole process."""
    before = structlog.get_config()
    yield
    structlog.configure(**before)


def error_line(capsys: pytest.CaptureFixture[str], code: int, *arguments: str) -> str:
    """The line on standard error of a command that exits with `code`."""
    with pytest.raises(SystemExit) as error:
        main(arguments)
    line = capsys.readouterr().err
    assert error.value.code == code, line
    assert line.count("\n") == 1
    return line


def test_a_wrong_source_or_file_of_a_recording_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    there, new = tmp_path / "there", tmp_path / "new"
    there.write_bytes(b"x")
    unused = f"udp://127.0.0.1:{free_port()}"
    for arguments, code, wanted in (
        (["ftp://a", "--out", str(new)], 2, "not a source: 'ftp'"),
        (["udp://127.0.0.1", "--out", str(new)], 2, "not a source: 'udp'"),
        (["srt://[::", "--out", str(new)], 2, "not a source"),
        ([URL, "--out", str(there)], 2, "there exists: name a new file"),
        ([URL, "--out", str(new), "--for", "soon"], 2, "--for: not a duration"),
        ([unused, "--out", str(new), "--for", "200ms"], 1, "no feed arrived: nothing was recorded"),
    ):
        assert wanted in error_line(capsys, code, "record", *arguments)
    assert not new.exists()


def test_sources_of_a_channel_count_from_1_and_only_feeds_are_recorded(
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
        (["tv", "3"], 2, "tv: no source 3: the channel has sources 1 to 2"),
        (["tv", "0"], 2, "tv: no source 0: the channel has sources 1 to 2"),
        (["tv"], 2, "tv: source 1 (file train-360p30.ts) cannot be recorded: only rtmp,"),
        (["tv", "2", "--for", "200ms"], 1, "no feed arrived: nothing was recorded"),
        (["radio"], 2, "'radio': no such channel in"),
    ):
        out = str(tmp_path / "new")
        assert wanted in error_line(
            capsys, code, "record", "-c", str(config), *arguments, "--out", out
        )


def test_a_wrong_file_or_target_is_one_line_without_the_key(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    there, train = tmp_path / "there", str(TRAIN)
    there.write_bytes(b"x")
    push = f"http://127.0.0.1:{free_port()}/push/secret-key"
    for arguments, code, wanted in (
        ([str(there), URL], 2, "neither a recording nor"),
        ([train, "nowhere"], 2, "not a target"),
        ([train, URL, "--fault", "flood=1s"], 2, "--fault not a fault: 'flood=1s'"),
        ([train, URL, "--speed", "0"], 2, "--speed '0': not a factor from 1/100 to 100"),
        ([train, URL, "--speed", "x"], 2, "--speed 'x': not a factor from 1/100 to 100"),
        ([train, push], 1, "http://127.0.0.1:"),
    ):
        line = error_line(capsys, code, "send", *arguments)
        assert wanted in line
        assert "secret-key" not in line


def test_a_file_that_is_not_a_recording_is_not_extracted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "out")
    assert "not a recording" in error_line(capsys, 2, "extract", str(TRAIN), "--out", out)
    assert "No such file" in error_line(capsys, 2, "extract", str(tmp_path / "no"), "--out", out)
