"""`ringside probe`, as it is run by hand."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.paths import FEEDS, ROOT

pytestmark = pytest.mark.e2e

TRAIN = str(FEEDS / "train-360p30.ts")


def probe(target: object, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "packager", "probe", str(target), *options]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_a_feed_that_is_well_is_0_and_a_table() -> None:
    done = probe(TRAIN)
    assert (done.returncode, done.stderr) == (0, "")
    for said in ("640x360, 30 frames/s", "1.14 Mbit/s", "2.0 s", "nothing is wrong"):
        assert said in done.stdout


def test_what_is_wrong_is_1_and_sentences() -> None:
    done = probe(TRAIN, "--ladder", "passthrough")
    said = "- keyframes every 2 s: segments of 1.92 s cannot each start on one in passthrough\n"
    assert done.returncode == 1
    assert done.stdout.endswith(said)


def test_what_cannot_be_read_is_2_and_one_line(tmp_path: Path) -> None:
    done = probe(tmp_path / "none.ts")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"ringside: {tmp_path}/none.ts: No such file or directory\n"
