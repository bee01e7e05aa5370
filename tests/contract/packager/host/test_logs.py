"""The log of several processes in one file."""

import os
import subprocess
import sys
from pathlib import Path

SCRIPT = """
import structlog
from packager.host import logs
logs.configure()
log = structlog.get_logger()
for number in range(2000):
    log.info("test.counted", number=number)
"""


def test_lines_of_several_processes_stay_whole(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with (tmp_path / "log").open("ab") as log:
        words = (sys.executable, "-c", SCRIPT)
        writers = [subprocess.Popen(words, stderr=log, env=environment) for _ in range(3)]
        assert [writer.wait(30) for writer in writers] == [0, 0, 0]
    lines = (tmp_path / "log").read_text().split("\n")
    assert len(lines) == 6001
    assert all(line.count('"event"') == 1 for line in lines[:-1])
