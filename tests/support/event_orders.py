"""Orders for events of the browser tests' channel."""

import subprocess
import sys
from fractions import Fraction

from tests.paths import ROOT
from tests.support.service import Service

LADDER_SEGMENT = Fraction(48, 25)
"""Seconds: of tests/browser/ladder.yaml."""


def order(running: Service, *words: str) -> None:
    config = str(running.folder / "ringside.yaml")
    command = [sys.executable, "-m", "packager", "event", words[0], "-c", config, *words[1:]]
    subprocess.run(command, cwd=ROOT, check=True, timeout=30)
