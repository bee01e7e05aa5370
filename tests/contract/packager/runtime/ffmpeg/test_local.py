"""How many sources start at once."""

import asyncio

import pytest

from packager.ffmpeg.inputs import Pace
from packager.runtime.ffmpeg import local
from packager.runtime.ffmpeg.local import LocalFfmpeg, StartPlaces
from tests.support.receivers import FFMPEG


async def test_a_start_waits_for_a_place_and_gives_it_up_once() -> None:
    places, order = StartPlaces(2), list[str]()

    async def start(name: str, over: asyncio.Event) -> None:
        async with places.place() as place:
            order.append(name)
            await over.wait()
            place.leave()
            place.leave()

    events = [asyncio.Event() for _ in range(5)]
    tasks = [asyncio.create_task(start(str(at), event)) for at, event in enumerate(events)]
    await asyncio.sleep(0)
    assert order == ["0", "1"]
    events[1].set()
    await tasks[1]
    await asyncio.sleep(0)
    assert order == ["0", "1", "2"]
    for event in events:
        event.set()
    async with asyncio.timeout(30):
        await asyncio.gather(*tasks)
    assert order == ["0", "1", "2", "3", "4"]


async def test_a_start_that_hangs_makes_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "_LONGEST_START", 0.05)
    places = StartPlaces(1)
    async with asyncio.timeout(30), places.place(), places.place() as second:
        second.leave()


def test_the_installed_ffmpeg_catches_up_by_an_option() -> None:
    assert LocalFfmpeg.of(FFMPEG).pace is Pace.CATCHING_UP
