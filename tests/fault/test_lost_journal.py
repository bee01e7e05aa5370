"""A damaged or removed journal is reported, and the channel goes on."""

import re
from pathlib import Path

import pytest

from tests.support.service import Service, fetch, service, wait_until
from tests.support.two_channels import CHANNELS, NAMES, TRACK, Published, published, went_on

pytestmark = [pytest.mark.fault, pytest.mark.extended]


def wait_for_newer(running: Service, name: str, before: Published) -> None:
    def is_newer() -> bool:
        text = fetch(f"{running.live(name)}/{TRACK[name]}/index.m3u8").text
        numbers = [int(found) for found in re.findall(r"^(\d+)\.m4s$", text, re.MULTILINE)]
        return max(numbers, default=0) > before.newest + 2

    wait_until(is_newer, f"growth of {name}", 40)


def test_a_removed_channel_folder_is_recreated(tmp_path: Path) -> None:
    with service(tmp_path, CHANNELS) as running:
        for name in NAMES:
            running.wait_for_segments(name, 2)
        before = {name: published(running, name) for name in NAMES}
        # In one step: the packager writes to the folder.
        (tmp_path / "data" / "bars").rename(tmp_path / "removed")
        wait_for_newer(running, "bars", before["bars"])
        assert "No such file or directory" in running.log
        went_on(running, "train", before["train"], periods=0)
        assert running.events("process.died") == []


def test_a_damaged_journal_is_set_aside_and_no_number_is_reused(tmp_path: Path) -> None:
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
            running.wait_for_segments(name, 1)
            wait_for_newer(running, name, before[name])
            after = published(running, name)
            assert after.period > before[name].period
            kept = before[name].etags.keys() & after.etags.keys()
            assert all(before[name].etags[number] == after.etags[number] for number in kept)
            assert (tmp_path / "data" / name / "journal.damaged").exists()
            # Media that only the damaged journal lists stays as long as that journal.
            folder = tmp_path / "data" / name / TRACK[name]
            assert all((folder / f"{number}.m4s").exists() for number in before[name].etags)
        named = running.events("journal.damage_found")
        assert {event["channel"] for event in named} == set(NAMES)
