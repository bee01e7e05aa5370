"""`ringside probe` as a real process."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.paths import ROOT
from tests.support import footage
from tests.support.file_server import file_server

pytestmark = pytest.mark.e2e

TRAIN = str(footage.SMALL / "train.ts")


def probe(target: object, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "packager", "probe", str(target), *options]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )


def test_a_feed_without_problems_is_exit_code_0_and_a_table() -> None:
    done = probe(TRAIN)
    assert (done.returncode, done.stderr) == (0, "")
    for text in ("192x108, 30 frames/s", "0.0817 Mbit/s", "2.0 s", "no problems found"):
        assert text in done.stdout


def test_a_problem_is_exit_code_1_and_a_sentence() -> None:
    done = probe(TRAIN, "--ladder", "passthrough")
    line = "- keyframe interval is 2 s: in passthrough, segments of 1.92 s need a keyframe each\n"
    assert done.returncode == 1
    assert done.stdout.endswith(line)


def test_a_feed_over_http_that_is_left_early_ends_without_a_traceback() -> None:
    """The server sends faster than real time: bytes are left in the pipe of ffmpeg."""
    feed = footage.train()
    with file_server(feed.parent) as server:
        done = probe(f"{server}/{feed.name}", "--seconds", "1")
    assert (done.returncode, done.stderr) == (0, "")
    assert "640x360, 30 frames/s" in done.stdout


def test_a_missing_file_is_exit_code_2_and_one_line(tmp_path: Path) -> None:
    done = probe(tmp_path / "none.ts")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"ringside: {tmp_path}/none.ts: No such file or directory\n"
