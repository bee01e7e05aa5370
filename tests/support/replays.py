"""`ringside replay`, run by tests."""

import subprocess
import sys
from pathlib import Path

from tests.paths import ROOT
from tests.support import footage

START = "2026-01-01T00:00:00Z"
FEED_OF = {name: footage.SMALL / f"{name}.ts" for name in ("harbour", "train")}


def replay(out: Path, channel: str, *options: str, feed: Path | None = None) -> Path:
    """The folder of a channel made of its feed."""
    command = [sys.executable, "-m", "packager", "replay", str(feed or FEED_OF[channel])]
    command += ["--channel", channel, "--start", START, "--out", str(out), *options]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=110, check=False
    )
    assert done.returncode == 0, done.stderr
    return out / channel
