"""The hot path says what aiohttp says: octet for octet, but for made-up ids of requests."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from packager.clock import ManualClock
from packager.records import EventSet
from packager.ticks import MICROS, UtcMicros
from tests.feeds import START
from tests.strategies import split
from tests.support.channel import FIRST, GRID, Packager, a_feed, packager, publish
from tests.support.requests import SEPARATOR, Known, is_tame, requests
from tests.support.ways import Alone, ByPort, Cold, core, exchange

_MEMORY = 1 << 20
"""Bytes: the longest segment is too large a share of it, and is sent from its file every time."""
_NOW = GRID.micros(FIRST + 6)


def _with_feed(data: Path) -> Packager:
    """Whole segments of samples, so that there is Smooth; events, over and going on."""
    made = packager(data)
    publish(made, a_feed())
    made.note(EventSet("over", START, UtcMicros(START + 4 * MICROS)))
    made.note(EventSet("on", UtcMicros(START + 2 * MICROS)))
    return made


def _with_sizes(data: Path) -> Packager:
    """Segments below and above what the kernel sends from memory; a hole, and what has gone."""
    made = packager(data, name="big")
    made.begin(0, FIRST - 1)
    for number, size in ((-1, 999), (0, 1000), (1, 32 << 10), (2, 40_000), (4, 70_000)):
        made.whole(FIRST + number, size=size)
    made.trim(FIRST)
    made.path("a0", FIRST + 1).unlink()
    return made


def _targets(feed: Packager, sizes: Packager) -> Iterator[str]:
    at, later = START // MICROS, START // MICROS + 4
    playlists = ["index.m3u8", "v0/index.m3u8", "a0/index.m3u8", "v9/index.m3u8"]
    for view in ("", f"from/{at + 2}/", f"from/{at}/to/{later}/", "event/over/", "event/on/"):
        for file in (*playlists, "index.mpd", "live.mpd", "index.ism/Manifest", "x"):
            yield f"/live/tv/{view}{file}"
    yield from (f"/live/tv/{feed.fragment(index)}" for index in (0, 1))
    yield "/live/tv/index.ism/QualityLevels(7)/Fragments(video=1)"
    yield f"/live/tv/patch-{FIRST}-00000000.mpp"
    for number in range(-1, 5):
        yield f"/live/big/v0/{FIRST + number}.m4s"
        yield f"/live/big/v0/{FIRST + number}.1.m4s"
    yield from (f"/live/big/a0/{FIRST + number}.m4s" for number in (0, 1, 2))
    version = sizes.journal.timeline.latest("v0")
    assert version is not None
    yield from (f"/live/big/v0/init-{name}.mp4" for name in (version.version, "ffffffff"))
    yield from (f"/live/big/v0/{FIRST + 99}.m4s", "/live/big/v0/x.m4s", "/live/TV/index.mpd")
    yield from ("/live/tv/event/none/index.mpd", "/live/tv/from/x/index.mpd", "/live/tv/from/1/")
    yield from ("/live/no/index.mpd", "/live/tv/time", "/healthz", "/", "/favicon.ico")


class Ways:
    """The same origin, three times."""

    hot: ByPort
    cold: ByPort
    alone: Alone
    known: Known

    async def start(self, data: Path) -> None:
        self.packagers = _with_feed(data), _with_sizes(data)
        cores = [core(data, ManualClock(_NOW), _MEMORY) for _ in range(3)]
        self.hot, self.cold, self.alone = ByPort(cores[0]), ByPort(cores[1], Cold), Alone(cores[2])
        for way in (self.hot, self.cold, self.alone):
            await way.start()
        targets = tuple(target.encode() for target in _targets(*self.packagers))
        tags, dates = [], []
        for target in targets:
            said, _ = await exchange(self.alone, [[_get(target)]])
            for line in said.partition(SEPARATOR)[0].split(b"\r\n"):
                name, _, value = line.partition(b": ")
                tags += [value] if name == b"ETag" else []
                dates += [value] if name == b"Last-Modified" else []
        self.known = Known(targets, tuple(dict.fromkeys(tags)), tuple(dict.fromkeys(dates)))

    async def close(self) -> None:
        for way in (self.hot, self.cold, self.alone):
            await way.close()


def _get(target: bytes) -> bytes:
    return b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n" % target


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    made = asyncio.new_event_loop()
    yield made
    made.run_until_complete(made.shutdown_default_executor())
    made.close()


@pytest.fixture(scope="module")
def ways(
    tmp_path_factory: pytest.TempPathFactory, loop: asyncio.AbstractEventLoop
) -> Iterator[Ways]:
    made = Ways()
    loop.run_until_complete(made.start(tmp_path_factory.mktemp("data")))
    yield made
    loop.run_until_complete(made.close())


def _steps(data: bytes) -> list[list[bytes]]:
    """What has no certain ends, in pieces that are looked at one by one."""
    parts = data.split(SEPARATOR)
    pieces = [part + SEPARATOR for part in parts[:-1]] + [parts[-1]]
    return [[piece] for piece in pieces if piece]


@given(data=st.data())
@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow], phases=[Phase.generate])
def test_all_ways_say_the_same(
    ways: Ways, loop: asyncio.AbstractEventLoop, data: st.DataObject
) -> None:
    asked = data.draw(st.lists(requests(ways.known), min_size=1, max_size=4))
    half_close = data.draw(st.booleans())
    tame: list[bytes] = []
    wild: list[list[bytes]] = []
    for one in asked:
        if not is_tame(one, loop):
            # Whatever comes behind it may be its tail, or nothing that anybody looks at.
            wild = _steps(one)
            break
        tame.append(one)
    pieces = data.draw(split(b"".join(tame)))
    by_itself = [*([one] for one in tame), *wild]
    for _ in ("cold", "warm"):
        said = [
            loop.run_until_complete(exchange(way, steps, half_close=half_close))
            for way, steps in (
                (ways.hot, [pieces, *wild]),
                (ways.cold, by_itself),
                (ways.alone, by_itself),
            )
        ]
        assert said[0] == said[2], "hot"
        assert said[1] == said[2], "cold"
