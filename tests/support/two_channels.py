"""A service with a passthrough channel and an encoded one, and the content of their playlists."""

import re
from dataclasses import dataclass

from tests.paths import ROOT
from tests.support import footage
from tests.support.service import Service, fetch, wait_until

SMALL = f"{ROOT}/tests/support/small.yaml"


CHANNELS = f"""
  train:
    source: {{type: file, file: {footage.train()}, loop: true}}
    ladder: passthrough
    window: 5m
  bars:
    source: {{type: pattern, width: 320, height: 180}}
    ladder: {SMALL}
    window: 5m
"""


NAMES = ("train", "bars")


TRACK = {"train": "v0", "bars": "270p"}


@dataclass(frozen=True)
class Published:
    """The listed segments of a channel (number -> ETag), and its newest period."""

    etags: dict[int, str]
    period: int

    @property
    def newest(self) -> int:
        return max(self.etags)


def published(running: Service, name: str) -> Published:
    folder = f"{running.live(name)}/{TRACK[name]}"
    text = fetch(f"{folder}/index.m3u8").text
    numbers = [int(found) for found in re.findall(r"^(\d+)\.m4s$", text, re.MULTILINE)]
    gaps = {int(found) for found in re.findall(r"GAP\n.*\n(\d+)\.m4s", text)}
    etags = {
        number: fetch(f"{folder}/{number}.m4s", "HEAD").headers["ETag"]
        for number in numbers
        if number not in gaps
    }
    first = int(re.findall(r"DISCONTINUITY-SEQUENCE:(\d+)", text)[0])
    return Published(etags, first + text.count("#EXT-X-DISCONTINUITY\n"))


def went_on(running: Service, name: str, before: Published, *, periods: int) -> None:
    """Wait for so many new periods, and check that all earlier segments are unchanged."""
    goal = (before.period + periods, before.newest + 2)

    def has_grown() -> bool:
        if not running.segments(name):
            return False
        now = published(running, name)
        return (now.period, now.newest) >= goal

    wait_until(has_grown, f"growth of {name}", 40)
    after = published(running, name)
    assert after.period == before.period + periods
    assert before.etags.items() <= after.etags.items()


def no_process_left(running: Service) -> None:
    wait_until(lambda: not running.left(), "the end of every process", 10)
