"""After a power loss: a journal cut at any byte, and segments of any length."""

import os
import random
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from packager.journal.format import JournalReader
from packager.layout import JOURNAL
from packager.timeline.apply import fold
from tests.support.power_loss import GONE, Before, Name, before, lengths, survive
from tests.support.service import fetch, service, wait_until
from tests.support.two_channels import SMALL

pytestmark = [pytest.mark.fault, pytest.mark.extended]

END = 4096
"""Bytes of a journal that may not be on the disk yet."""
BLOCK = 64
"""Of those, how many one test tries; of a sample, how many all do."""
SEED = 20260101


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    exhaustive = metafunc.config.getoption("--exhaustive")
    if "back" in metafunc.fixturenames:
        chance = random.Random(SEED)
        blocks = [range(at, at + BLOCK) for at in range(0, END, BLOCK)]
        sample = [sorted({0, 1, *chance.sample(range(END), BLOCK)})]
        ids = [f"{b[0]}-{b[-1]}" for b in blocks] if exhaustive else ["sample"]
        metafunc.parametrize("back", blocks if exhaustive else sample, ids=ids)
    if "cuts" in metafunc.fixturenames:
        metafunc.parametrize("cuts", [12 if exhaustive else 1], ids=["cuts"])


@pytest.fixture(scope="module")
def was(tmp_path_factory: pytest.TempPathFactory) -> Before:
    made = before(tmp_path_factory.mktemp("before"))
    assert len(made.journal) > END
    return made


def hurt(was: Before, chance: random.Random) -> dict[Name, int]:
    """Some of the files, each of another length."""
    names = chance.sample(sorted(was.media), chance.randint(0, 6))
    return {name: chance.choice(lengths(len(was.media[name]))) for name in names}


def test_the_journal_ends_at_any_byte(was: Before, back: list[int]) -> None:
    for place in back:
        chance = random.Random(f"{SEED} {place}")
        with TemporaryDirectory() as folder:
            survive(Path(folder), was, len(was.journal) - place, hurt(was, chance))


def test_any_file_has_any_length(was: Before, cuts: int) -> None:
    chance = random.Random(SEED)
    for name in sorted(was.media):
        for length in lengths(len(was.media[name])):
            for _ in range(cuts):
                back = chance.choice([0, chance.randrange(END)])
                with TemporaryDirectory() as folder:
                    survive(Path(folder), was, len(was.journal) - back, {name: length})


def test_all_that_was_new_is_gone(was: Before) -> None:
    for count in range(len(was.media) + 1):
        newest = sorted(was.media, key=lambda name: (name[1], name[0]))[len(was.media) - count :]
        with TemporaryDirectory() as folder:
            survive(Path(folder), was, len(was.journal), dict.fromkeys(newest, GONE))


CHANNEL = f"  bars: {{source: {{type: pattern, width: 320, height: 180}}, ladder: {SMALL}}}"


def test_it_is_named_and_the_channel_goes_on(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "bars"
    with service(tmp_path, CHANNEL) as running:
        running.wait_for_segments("bars", 4)
    was = fold(JournalReader().feed((folder / JOURNAL).read_bytes()))
    hurt = was.tracks["270p"].segments[-2].number
    os.truncate(folder / "270p" / f"{hurt}.m4s", 1000)
    with (folder / JOURNAL).open("ab") as journal:
        journal.write(bytes(300))
    with service(tmp_path, CHANNEL) as running:
        problem = "incomplete in the store, as after a power failure: 1 segment of 270p"
        wait_until(lambda: problem in running.log, "the problem")
        assert [event["level"] for event in running.events("store.lost")] == ["warning"]
        wait_until(lambda: running.status("bars")["state"] == "live", "the channel")
        assert problem in running.status("bars")["problem"]
        assert fetch(f"{running.live('bars')}/270p/{hurt}.m4s").status == 404
        assert fetch(f"{running.live('bars')}/144p/{hurt}.m4s").status == 200

        def gaps() -> str:
            return fetch(f"{running.live('bars')}/270p/index.m3u8").text

        wait_until(lambda: f"\n{was.last_number}.m4s" in gaps(), "the old segments")
        lines = gaps().splitlines()
        assert lines[lines.index(f"{hurt}.m4s") - 2] == "#EXT-X-GAP"
        wait_until(lambda: gaps().count("#EXT-X-DISCONTINUITY\n") == 1, "the new period")
