"""A journal that is damaged or taken away: it is named, and the channel goes on."""

import shutil
from pathlib import Path

import pytest

from tests.fault.test_processes import CHANNELS, NAMES, published, went_on
from tests.support.service import Service, service, wait_until

pytestmark = pytest.mark.fault


def newest(running: Service, name: str) -> int:
    return published(running, name).newest if running.segments(name) else 0


def test_a_folder_taken_away_from_under_a_channel_is_made_anew(tmp_path: Path) -> None:
    with service(tmp_path, CHANNELS) as running:
        for name in NAMES:
            running.wait_for_segments(name, 2)
        before = {name: published(running, name) for name in NAMES}
        shutil.rmtree(tmp_path / "data" / "bars")
        wait_until(
            lambda: newest(running, "bars") > before["bars"].newest + 2, "growth of bars", 40
        )
        assert "No such file or directory" in running.log
        went_on(running, "train", before["train"], periods=0)
        assert running.events("process.died") == []


def test_a_damaged_journal_is_set_aside_and_no_number_comes_again(tmp_path: Path) -> None:
    with service(tmp_path, CHANNELS) as running:
        for name in NAMES:
            running.wait_for_segments(name, 3)
        before = {name: published(running, name) for name in NAMES}
    for name in NAMES:
        journal = tmp_path / "data" / name / "journal"
        data = bytearray(journal.read_bytes())
        data[{"train": 12, "bars": len(data) // 2}[name]] ^= 0x55
        journal.write_bytes(data)
    with service(tmp_path, CHANNELS) as running:
        for name in NAMES:
            wait_until(
                lambda name=name: newest(running, name) > before[name].newest + 2,
                f"growth of {name}",
                40,
            )
            after = published(running, name)
            assert after.period > before[name].period
            kept = before[name].etags.keys() & after.etags.keys()
            assert all(before[name].etags[number] == after.etags[number] for number in kept)
            assert (tmp_path / "data" / name / "journal.damaged").exists()
        named = running.events("journal.damaged")
        assert {event["channel"] for event in named} == set(NAMES)
