"""Both lanes send the same bytes, except for the ids that they make for requests."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from itertools import takewhile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from origin.http.response import FileSlice
from packager.timeline.records import EventSet
from packager.timing.clock import ManualClock
from packager.timing.ticks import MICROS, UtcMicros
from tests.support import long_journal
from tests.support.channel import FIRST, GRID, Packager, a_feed, packager, publish
from tests.support.made_feeds import START
from tests.support.paths_in import Alone, ByPort, Cold, core, exchange
from tests.support.requests import SEPARATOR, Known, is_tame, requests
from tests.support.strategies import split

_MEMORY = 1 << 20
"""Bytes: the longest segment is too large a share of it, and is sent from its file every time."""
Received = tuple[bytes, bool]
_NOW = GRID.micros(FIRST + 6)


def _with_feed(data: Path) -> Packager:
    """Whole segments of samples, so that there is Smooth; events, over and going on."""
    made = packager(data)
    publish(made, a_feed())
    made.note(EventSet("over", START, UtcMicros(START + 4 * MICROS)))
    made.note(EventSet("on", UtcMicros(START + 2 * MICROS)))
    return made


def _with_sizes(data: Path) -> Packager:
    """Segments below and above the size for sendfile; a hole, and a segment that was removed."""
    made = packager(data, name="big")
    made.begin(0, FIRST - 1)
    for number, size in ((-1, 999), (0, 1000), (1, 32 << 10), (2, 40_000), (4, 70_000)):
        made.whole(FIRST + number, size=size)
    made.trim(FIRST)
    made.path("a0", FIRST + 1).unlink()
    return made


def _with_parts(data: Path) -> None:
    """Low latency, with a part of a segment that has begun."""
    made = packager(data, name="low")
    made.begin(0, FIRST, part=round(GRID.duration * MICROS / 2))
    for number in range(FIRST, FIRST + 5):
        made.whole(number)
    made.chunk("v0", FIRST + 5, 0)


def _targets(feed: Packager, sizes: Packager) -> Iterator[str]:
    at, later = START // MICROS, START // MICROS + 4
    playlists = ["index.m3u8", "v0/index.m3u8", "a0/index.m3u8", "v9/index.m3u8"]
    for view in ("", f"from/{at + 2}/", f"from/{at}/to/{later}/", "event/over/", "event/on/"):
        for file in (*playlists, "index.mpd", "live.mpd", "index.ism/Manifest", "x"):
            yield f"/live/tv/{view}{file}"
    yield from (f"/live/big/{file}" for file in ("index.m3u8", "v0/index.m3u8", "index.mpd"))
    yield from (f"/live/tv/{feed.fragment(index)}" for index in (0, 1))
    yield "/live/tv/index.ism/QualityLevels(7)/Fragments(video=1)"
    for asked in ("", "_HLS_skip=YES", f"_HLS_msn={FIRST}", f"_HLS_msn={FIRST + 5}&_HLS_part=0"):
        yield f"/live/low/v0/index.m3u8?{asked}"
    for asked in ("_HLS_part=0", "_HLS_msn=x", f"_HLS_msn={FIRST + 99}&_HLS_part=0"):
        yield f"/live/low/v0/index.m3u8?{asked}"
    yield f"/live/low/v0/{FIRST + 5}.0.m4s"
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
    tagged: dict[bytes, bytes]
    """Tags of those targets that have one."""
    asked: st.SearchStrategy[list[bytes]]

    async def start(self, data: Path) -> None:
        self.packagers = _with_feed(data), _with_sizes(data)
        _with_parts(data)
        cores = [core(data, ManualClock(_NOW), _MEMORY) for _ in range(3)]
        self.hot, self.cold, self.alone = ByPort(cores[0]), ByPort(cores[1], Cold), Alone(cores[2])
        for way in (self.hot, self.cold, self.alone):
            await way.start()
        targets = tuple(target.encode() for target in _targets(*self.packagers))
        self.tagged, dates = {}, []
        for target in targets:
            received, _ = await exchange(self.alone, [[_get(target)]])
            for line in received.partition(SEPARATOR)[0].split(b"\r\n"):
                name, _, value = line.partition(b": ")
                if name == b"ETag":
                    self.tagged[target] = value
                dates += [value] if name == b"Last-Modified" else []
        known = Known(
            targets, tuple(dict.fromkeys(self.tagged.values())), tuple(dict.fromkeys(dates))
        )
        self.asked = st.lists(requests(known), min_size=1, max_size=4)

    async def close(self) -> None:
        for way in (self.hot, self.cold, self.alone):
            await way.close()


def _get(target: bytes) -> bytes:
    return b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n" % target


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    made = asyncio.new_event_loop()
    yield made
    for task in asyncio.all_tasks(made):
        task.cancel()
    made.run_until_complete(asyncio.sleep(0))
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
    """Bytes whose requests have no certain end, in pieces that are read one by one."""
    parts = data.split(SEPARATOR)
    pieces = [part + SEPARATOR for part in parts[:-1]] + [parts[-1]]
    return [[piece] for piece in pieces if piece]


@given(data=st.data())
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_all_ways_send_the_same_bytes(
    ways: Ways, loop: asyncio.AbstractEventLoop, data: st.DataObject
) -> None:
    asked = data.draw(ways.asked)
    half_close = data.draw(st.booleans())
    pieces = data.draw(split(b"".join(_tame(asked, loop))))
    responses = loop.run_until_complete(_responses(ways, asked, pieces, half_close=half_close))
    for cold, warm in responses:
        assert cold == responses[0][0]
        assert warm == responses[0][1]
        assert b"\r\nX-Evil" not in warm[0]


def _tame(asked: Sequence[bytes], loop: asyncio.AbstractEventLoop) -> list[bytes]:
    """The requests before the first behind which nothing is certain to be looked at."""
    return list(takewhile(lambda one: is_tame(one, loop), asked))


async def _responses(
    ways: Ways, asked: Sequence[bytes], pieces: Sequence[bytes], *, half_close: bool = False
) -> list[tuple[Received, Received]]:
    """The responses of each way to the same requests, twice.

    The port gets those that are sure to be answered all at once too, in these `pieces`.
    """
    tame = _tame(asked, asyncio.get_running_loop())
    wild = [step for one in asked[len(tame) : len(tame) + 1] for step in _steps(one)]
    by_itself = [*([one] for one in tame), *wild]
    return [
        (
            await exchange(way, steps, half_close=half_close),
            await exchange(way, steps, half_close=half_close),
        )
        for way, steps in (
            (ways.alone, by_itself),
            (ways.cold, by_itself),
            (ways.hot, [pieces, *wild]),
            (ways.hot, by_itself),
        )
    ]


def _forms(tagged: Mapping[bytes, bytes]) -> Iterator[bytes]:
    """Targets in the forms that the innermost loop knows again."""
    others = [*tagged.values()]
    for place, (target, tag) in enumerate(tagged.items()):
        plain = _get(target)
        yield plain
        yield plain.replace(b"\r\n\r\n", b"\r\nAccept-Encoding: gzip\r\n\r\n")
        for known in (tag, others[place - 1]):
            yield plain.replace(b"\r\n\r\n", b"\r\nIf-None-Match: %s\r\n\r\n" % known)


async def test_a_remembered_request_gets_the_same_response_while_it_is_valid(
    tmp_path: Path,
) -> None:
    ways = Ways()
    await ways.start(tmp_path)
    two = (ways.alone, ways.hot)
    big = ways.packagers[1]

    async def same(times: int = 2) -> None:
        for _ in range(times):
            for one in forms:
                alone, hot = [await exchange(way, [[one]]) for way in two]
                assert hot == alone, one

    def later(instant: UtcMicros) -> None:
        for way in two:
            way.core.clock.advance_to(instant)

    forms = list(_forms(ways.tagged))
    await same(3)
    big.whole(FIRST + 5, size=40_000)
    for way in two:
        way.core.catch_up()
    await same()
    later(UtcMicros(_NOW + 60 * MICROS))
    await same()
    later(UtcMicros(_NOW + 600 * MICROS))
    await same()
    await ways.close()


async def test_a_manifest_in_the_kernels_memory_is_the_same_on_all_ways(tmp_path: Path) -> None:
    first = long_journal.lay(tmp_path / "tv", "tv", 1, _NOW)
    begin = long_journal.GRID.micros(first) // MICROS
    one = _get(f"/live/tv/from/{begin}/v0/index.m3u8".encode())
    forms = [one, one.replace(b"GET", b"HEAD"), one.replace(b"Host", b"If-Match: x\r\nHost"), one]
    cores = [core(tmp_path, ManualClock(_NOW)) for _ in range(3)]
    responses = []
    for way in (Alone(cores[0]), ByPort(cores[1], Cold), ByPort(cores[2])):
        await way.start()
        responses.append([await exchange(way, [[form]]) for form in forms])
        manifests = way.core.responder.manifests.of(way.core.channels["tv"])
        held = [prepared.response.body for prepared in manifests.responses]
        assert [type(body) for body in held] == [FileSlice]
        await way.close()
    assert len(responses[0][0][0]) > 1 << 16
    assert responses[1:] == responses[:1] * 2


ONCE_DIFFERENT = {
    "a target longer than aiohttp takes": [_get(b"/live/tv/" + b"x" * 9000)],
    "another name of Connection": [
        b"GET /healthz HTTP/1.1\r\nHost: x\r\nProxy-Connection: close\r\n\r\n"
    ],
}


@pytest.mark.parametrize("name", ONCE_DIFFERENT)
def test_earlier_differences_stay_fixed(
    ways: Ways, loop: asyncio.AbstractEventLoop, name: str
) -> None:
    asked = ONCE_DIFFERENT[name]
    responses = loop.run_until_complete(_responses(ways, asked, _tame(asked, loop)))
    assert responses[1:] == responses[:1] * 3


# Requests hidden in others (request smuggling).

_TAIL = b"GET /live/tv/time HTTP/1.1\r\nHost: x\r\n\r\n"
_X = b"Host: x\r\n"
SMUGGLED = {
    "both lengths": _X + b"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "both, the other way": _X + b"Transfer-Encoding: chunked\r\nContent-Length: 6\r\n\r\n0\r\n\r\n",
    "two lengths": _X + b"Content-Length: 0\r\nContent-Length: 40\r\n\r\n",
    "two equal lengths": _X + b"Content-Length: 0\r\nContent-Length: 0\r\n\r\n",
    "a list of lengths": _X + b"Content-Length: 0, 40\r\n\r\n",
    "a signed length": _X + b"Content-Length: +0\r\n\r\n",
    "a length in spaces": _X + b"Content-Length: 4 0\r\n\r\n",
    "no length": _X + b"Content-Length:\r\n\r\n",
    "a space before the colon": _X + b"Content-Length : 40\r\n\r\n",
    "a tab before the colon": _X + b"Transfer-Encoding\t: chunked\r\n\r\n0\r\n\r\n",
    "a folded name": _X + b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
    "a folded line": _X + b"X: y\r\n Content-Length: 40\r\n\r\n",
    "a vertical tab": _X + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    "a coding behind": _X + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "another coding": _X + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "a null": _X + b"Transfer-Encoding: chunked\x00\r\n\r\n0\r\n\r\n",
    "a bare line feed": _X + b"X: y\nContent-Length: 40\r\n\r\n",
    "a bare carriage return": _X + b"X: y\rContent-Length: 40\r\n\r\n",
    "only line feeds": b"Host: x\n\n",
    "line feeds at the end": b"Host: x\r\n\n",
    "a line feed and a carriage return": b"Host: x\r\n\n\r",
    "no host": b"X: y\r\n\r\n",
    "two hosts": _X + b"Host: y\r\n\r\n",
    "a name that is none": _X + b"Content\x00-Length: 40\r\n\r\n",
    "an underscore": _X + b"Content_Length: 40\r\n\r\n",
    "a name without colon": _X + b"Content-Length 40\r\n\r\n",
    "nothing": b"\r\n",
    "a chunk with an extension": _X + b"Transfer-Encoding: chunked\r\n\r\n0;x=\n\r\n\r\n",
    "a chunk of a long length": _X
    + b"Transfer-Encoding: chunked\r\n\r\n"
    + b"0" * 40
    + b"\r\n\r\n",
}
_FIRST_LINES = [
    b"GET /healthz HTTP/1.1\r\n",
    b"HEAD /healthz HTTP/1.1\r\n",
    b"POST /healthz HTTP/1.1\r\n",
    b"GET http://x/healthz HTTP/1.1\r\n",
    b"GET /healthz HTTP/1.0\r\nConnection: keep-alive\r\n",
]


@pytest.mark.parametrize("name", SMUGGLED)
def test_no_request_hides_in_another(
    ways: Ways, loop: asyncio.AbstractEventLoop, name: str
) -> None:
    for first in _FIRST_LINES:
        data = first + SMUGGLED[name] + _TAIL
        responses = loop.run_until_complete(_responses(ways, [data], []))
        at_once = [
            loop.run_until_complete(exchange(way, [[data]])) for way in (ways.alone, ways.hot)
        ]
        if is_tame(data.removesuffix(_TAIL), loop):
            assert responses[0][0][0].count(b"HTTP/1.") == 2
        assert responses[1:] == responses[:1] * 3
        # aiohttp drops a request if malformed bytes arrive together with it.
        assert at_once[1] in (at_once[0], responses[0][0])
