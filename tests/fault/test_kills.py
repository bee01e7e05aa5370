"""Kill -9 of any process at any instant: listed media stays, and time goes on."""

import random
import re
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from origin.urls.view import StartOverView, path_of
from packager.journal.format import JournalReader
from packager.layout import JOURNAL
from packager.timeline.apply import fold
from packager.timeline.model import Timeline
from tests.support.service import Service, fetch, service, wait_until
from tests.support.two_channels import SMALL, no_process_left

pytestmark = [pytest.mark.fault, pytest.mark.extended, pytest.mark.timeout(3600)]

CHANNEL = f"""
  bars:
    source: {{type: pattern, width: 320, height: 180}}
    ladder: {SMALL}
    window: 1h
    retention: 2h
"""
ALL = ("packager", "origin", "ffmpeg")
VICTIMS = (("ffmpeg",), ("packager",), ("origin",), ALL)
SEED = 20260102
LONGEST = 4.0
"""Seconds that go by at most before a kill: more than the longest segment."""


@dataclass
class Watch:
    """A viewer's knowledge of a channel, and the records from before a kill."""

    running: Service
    chance: random.Random
    bytes_of: dict[str, bytes] = field(default_factory=dict)
    """By their path, of the segments that were fetched."""

    @property
    def journal(self) -> bytes:
        """The journal up to its last whole record."""
        data = (self.running.folder / "data" / "bars" / JOURNAL).read_bytes()
        return data[: data.rfind(b"\n") + 1]

    def timeline(self) -> Timeline:
        return fold(JournalReader().feed(self.journal))

    def get(self, path: str) -> bytes:
        answer = fetch(f"{self.running.live('bars')}/{path}")
        assert answer.status == 200, (path, answer.status, answer.text)
        return answer.body

    def kill_anywhen(self, victims: tuple[str, ...]) -> bytes:
        """Kill `victims` at a random instant; the journal just before."""
        for name in ALL:
            self.running.pid_of(name)
        time.sleep(self.chance.uniform(0, LONGEST))
        before = self.journal
        if victims == ALL:
            self.running.process.kill()
            self.running.process.wait(timeout=20)
            no_process_left(self.running)
        else:
            self.running.kill(*victims)
        return before

    def all_is_there(self, before: bytes) -> None:
        """Wait until the channel goes on; check that all segments listed before are served."""
        was = fold(JournalReader().feed(before))
        wait_until(lambda: self._edge() > was.last_number + 1, "new segments", 60)
        assert self.journal.startswith(before)
        now = self.timeline()
        indexes = [period.index for period in now.periods]
        assert indexes == list(range(len(indexes)))
        for track in was.tracks.values():
            for segment in track.segments:
                path = f"{track.id}/{segment.number}.m4s"
                body = self.get(path)
                assert len(body) == segment.size
                assert self.bytes_of.setdefault(path, body) == body
            for index, chunk in enumerate(track.open):
                body = self.get(f"{track.id}/{track.open_number}.{index}.m4s")
                assert len(body) == chunk.size
        self._from_the_first_second(was)

    def _edge(self) -> int:
        try:
            answer = fetch(f"{self.running.live('bars')}/270p/index.m3u8")
        except OSError:
            return -1
        listed = re.findall(r"^(\d+)\.m4s$", answer.text, re.MULTILINE)
        return int(listed[-1]) if answer.status == 200 else -1

    def _from_the_first_second(self, was: Timeline) -> None:
        first = was.periods[0].number
        view = path_of(StartOverView(was.grid.micros(first)))
        for track in was.tracks.values():
            text = self.get(f"{view}{track.id}/index.m3u8").decode()
            numbers = [int(n) for n in re.findall(r"(\d+)\.m4s$", text, re.MULTILINE)]
            gaps = {int(n) for n in re.findall(r"GAP\n#EXTINF.*\n\S*?(\d+)\.m4s", text)}
            assert numbers == list(range(first, numbers[-1] + 1))
            there = {segment.number for segment in track.segments}
            assert there <= set(numbers) - gaps
            assert f"#EXT-X-DISCONTINUITY-SEQUENCE:{was.periods[0].index}\n" in text
            passed = text.count("#EXT-X-DISCONTINUITY\n")
            assert passed >= was.periods[-1].index


def test_any_process_may_be_killed_at_any_instant(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    chance = random.Random(SEED)
    left = request.config.getoption("--kills")
    before = b""
    seen: dict[str, bytes] = {}
    while left:
        with service(tmp_path, CHANNEL) as running:
            running.wait_for_segments("bars", 2)
            watch = Watch(running, chance, seen)
            watch.all_is_there(before or watch.journal)
            victims = VICTIMS[0]
            while left and victims != ALL:
                victims = VICTIMS[-left % len(VICTIMS)]
                left -= 1
                before = watch.kill_anywhen(victims)
                if victims != ALL:
                    watch.all_is_there(before)
    with service(tmp_path, CHANNEL) as running:
        Watch(running, chance, seen).all_is_there(before)
    assert seen
