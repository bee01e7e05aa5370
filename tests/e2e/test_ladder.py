"""`ringside ladder` as a real process."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from packager.errors import FeedError, RingsideError
from packager.runtime.ffmpeg import program as ffmpeg_program
from packager.runtime.tools import ladder_trial
from tests.paths import ROOT
from tests.support import footage

pytestmark = [pytest.mark.e2e, pytest.mark.extended]

TINY = f"{ROOT}/tests/support/tiny.yaml"


def ladder(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "packager", "ladder", *arguments]
    return subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_small_ladder_is_tried_with_a_file(tmp_path: Path) -> None:
    feed = str(footage.train())
    done = ladder(TINY, "--source", feed, "--seconds", "8", "--json", TMPDIR=str(tmp_path))
    said = json.loads(done.stdout)
    # Whether it holds is the machine's affair, but the words and the code agree.
    assert done.returncode == (0 if said["holds"] else 1), done.stderr
    assert said["verdict"].startswith("holds real time with" if said["holds"] else "does not hold")
    assert (said["ladder"], said["source"]) == ("tiny", "file train-360p30.ts")
    assert [track["id"] for track in said["renditions"]] == ["90p", "72p", "audio"]
    assert said["aligned"]
    for track in said["renditions"]:
        assert track["segments"] >= 2
        assert 0 < track["average"] <= track["peak"]
        assert (track["missing"], track["off_grid"] if track["kind"] == "video" else 0) == (0, 0)
    assert said["renditions"][0]["maxrate"] == 120_000
    assert said["frames"] > 100
    for process in ("ffmpeg", "packager"):
        assert said[process]["cpu"] > 0
        assert said[process]["memory"] > 1 << 20
    assert list(tmp_path.iterdir()) == [], "nothing is left behind"


def test_an_impossible_trial_is_reported_in_one_line() -> None:
    done = ladder("passthrough")
    assert done.returncode == 2
    assert done.stderr == (
        "ringside: a ladder that copies needs a source: name a file with --source\n"
    )
    assert not done.stdout


@pytest.mark.parametrize(
    ("name", "source", "seconds", "said"),
    [
        ("nosuch", None, 20, "no ladder 'nosuch'"),
        (TINY, None, 7, "--seconds 7: not between 8 and 600 for this ladder"),
        (TINY, None, 601, "--seconds 601: not between 8 and 600 for this ladder"),
        (TINY, "none.ts", 20, "none.ts: no such file"),
        (TINY, __file__, 20, "test_ladder.py: no media"),
    ],
)
async def test_invalid_trials_are_refused(
    name: str, source: str | None, seconds: int, said: str
) -> None:
    job = ladder_trial.TrialJob(name, source, seconds, ffmpeg_program.find(None))
    with pytest.raises(RingsideError, match=said):
        await ladder_trial.run(job)


async def test_the_error_of_a_failed_ffmpeg_is_reported(tmp_path: Path) -> None:
    """One that is as it should be until it is to encode."""
    program = ffmpeg_program.find(None)
    broken = tmp_path / "ffmpeg"
    broken.write_text(
        f'#!/bin/sh\ncase "$*" in *-progress*) echo "[error] the roof fell in" >&2; exit 3;; esac\n'
        f'exec {program} "$@"\n'
    )
    broken.chmod(0o755)
    with pytest.raises(FeedError, match=r"\Affmpeg: the roof fell in\Z"):
        await ladder_trial.run(ladder_trial.TrialJob(TINY, None, 20, str(broken)))
