import asyncio
import gzip
import os
import re
from asyncio import StreamReader
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from fractions import Fraction
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from random import SystemRandom
from socket import socket
from struct import pack

import aiohttp
import m3u8
import pytest
from lxml import etree
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from origin.runtime.app import serve
from packager.clock import ManualClock, monotonic
from packager.cmaf.boxes import children, find
from packager.config import parse_config
from packager.journal import VERSION, encode
from packager.layout import JOURNAL
from packager.records import (
    Anchor,
    ChunkAdded,
    Ended,
    Header,
    PeriodStarted,
    Record,
    SegmentEnded,
    TrackAdded,
    Trimmed,
)
from packager.runtime.journal_writer import JournalWriter
from packager.runtime.media_store import MediaStore
from packager.smooth_clock import smooth_time, span
from packager.ticks import MICROS, Grid, Ticks, UtcMicros
from tests.feeds import START, Played, audio_track, begin, in_media_order, play, video_track
from tests.strategies import described

D = Fraction(48, 25)
LONG = Fraction(30)
"""Seconds of a segment whose successor is held for longer than any test lasts."""
QUICK = Fraction(1, 5)
"""Seconds of a segment whose successor is held for a tenth of one."""
SOON = 5.0
"""Seconds in which anything that is to happen has happened; a long segment is held for longer."""

INIT = b"\0\0\0\x08ftyp"
OURS = {"Date", "X-Request-ID"}
"""Headers that two equal answers differ in."""


# The packager's side.


def payload(track: str, number: int, index: int, size: int = 1000) -> bytes:
    """Made-up bytes of a chunk."""
    return (sha256(f"{track}/{number}/{index}".encode()).digest() * (size // 32 + 1))[:size]


@dataclass
class Packager:
    """Publishes a made-up channel as the packager does: bytes first, the record second."""

    folder: Path
    grid: Grid
    journal: JournalWriter
    store: MediaStore

    @property
    def first(self) -> int:
        """The number that the channel begins with."""
        return self.grid.number_at_micros(START) + 1

    def note(self, *records: Record) -> None:
        self.journal.append(records)

    def begin(self, index: int, number: int) -> None:
        utc = self.grid.micros(number)
        self.note(PeriodStarted(index, number, Anchor(Fraction(0), utc, utc)))
        for name in ("v0", "a0"):
            track = described(name, index)
            self.store.write_init(name, track.version, INIT + track.version.encode())
            self.note(TrackAdded(track))

    def chunk(self, track: str, number: int, index: int, size: int = 1000) -> bytes:
        """Publish chunk `index` of the two of a segment."""
        data = payload(track, number, index, size)
        self.store.append(track, number, [data])
        self.note(self.record(track, number, index, size))
        return data

    def record(self, track: str, number: int, index: int, size: int = 1000) -> ChunkAdded:
        timescale = described(track).timescale
        start, stop = (self.grid.boundary(n, timescale) for n in (number, number + 1))
        middle = (start + stop) // 2
        begin, end = ((start, middle), (middle, stop))[index]
        return ChunkAdded(track, number, Ticks(begin), Ticks(end - begin), size)

    def end(self, track: str, number: int) -> None:
        self.store.close(track)
        self.note(SegmentEnded(track, number, self.grid.micros(number + 1)))

    def whole(self, number: int, *tracks: str, size: int = 1000) -> None:
        for track in tracks or ("v0", "a0"):
            for index in (0, 1):
                self.chunk(track, number, index, size)
            self.end(track, number)

    def trim(self, number: int) -> None:
        """Let go of the segments before this number."""
        gone = [
            (track.id, segment.number)
            for track in self.journal.timeline.tracks.values()
            for segment in track.segments
            if segment.number < number
        ]
        self.note(Trimmed(number))
        for track_id, old in gone:
            self.store.remove(track_id, old)

    def path(self, track: str, number: int) -> Path:
        """Where the bytes of a segment lie."""
        return self.folder / track / f"{number}.m4s"


def packager(data: Path, segment: Fraction = D, name: str = "tv") -> Packager:
    folder = data / name
    return Packager(folder, Grid(segment), JournalWriter(folder, name, segment), MediaStore(folder))


def channel(data: Path, segment: Fraction = D, segments: int = 3) -> Packager:
    """A channel with a few segments."""
    made = packager(data, segment)
    made.begin(0, made.first)
    for number in range(made.first, made.first + segments):
        made.whole(number)
    return made


def a_feed() -> Played:
    """Four segments at 25 fps, four chunks each, on the channel's grid."""
    played = begin(Grid(D))
    go_on(played, START)
    return played


def go_on(played: Played, base: UtcMicros) -> None:
    video = video_track(0, Fraction(25), range(0, 192, 48), 192, [12])
    sound = audio_track(1, 360, [10])
    play(played, (video, sound), in_media_order((video, sound)), on_grid=True, base=base)


def publish(made: Packager, played: Played, start: int = 1, stop: int | None = None) -> None:
    """Publish records `start` to `stop` of what the segmenter made of a feed.

    The first is the header, which the journal's writer writes by itself.
    """
    sent: dict[tuple[str, int], int] = defaultdict(int)
    for place, record in enumerate(played.records[:stop]):
        if isinstance(record, ChunkAdded):
            key = record.track, record.number
            data = played.media[key][sent[key] : sent[key] + record.size]
            sent[key] += record.size
            if place >= start:
                made.store.append(*key, [data])
        if place >= start:
            if isinstance(record, TrackAdded):
                made.store.write_init(record.track.id, record.track.version, INIT)
            made.note(record)


# The origin's side.


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: CIMultiDictProxy[str]
    body: bytes

    def one(self, name: str) -> str:
        """The value of a header that is there exactly once."""
        values = self.headers.getall(name, [])
        assert len(values) == 1, (name, values)
        return values[0]

    @property
    def lasting(self) -> dict[str, str]:
        """The headers that are those of every equal answer."""
        return {name: value for name, value in self.headers.items() if name not in OURS}

    @property
    def tag(self) -> str:
        return self.one("ETag")


@dataclass
class Site:
    """A running origin."""

    port: int
    clock: ManualClock
    session: aiohttp.ClientSession

    async def ask(
        self, path: str, method: str = "GET", headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Ask for `path` below the channel, or for one that starts at the root."""
        full = path if path.startswith("/") else f"/live/tv/{path}"
        url = URL(f"http://127.0.0.1:{self.port}{full}", encoded=True)
        async with self.session.request(method, url, headers=headers) as response:
            return Answer(response.status, response.headers, await response.read())

    async def until(self, path: str, status: int = 200) -> Answer:
        """The first answer to `path` with this status."""
        async with asyncio.timeout(SOON):
            while (answer := await self.ask(path)).status != status:
                await asyncio.sleep(0.005)
        return answer

    async def held(self, file: str) -> "asyncio.Task[Answer]":
        """Ask for a file that is not there; return once the origin holds the request."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        # A connection that was answered on is one that the origin reads from: what is written
        # to it is there before the requests below.
        writer.write(request("GET /healthz"))
        await read_answer(reader, bare=False)
        writer.write(request(f"GET /live/tv/{file}"))

        async def answer() -> Answer:
            try:
                return await read_answer(reader, bare=False)
            finally:
                writer.close()

        asking = asyncio.create_task(answer())
        for _ in range(3):
            assert (await self.ask("/healthz")).status == 200
        assert not asking.done(), asking.result()
        return asking

    async def raw(self, *requests: bytes) -> list[Answer]:
        """Send bytes as they are on one connection; what comes back for each."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(b"".join(requests))
            async with asyncio.timeout(SOON):
                return [await read_answer(reader, bare=r.startswith(b"HEAD")) for r in requests]
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()


async def read_answer(reader: StreamReader, *, bare: bool) -> Answer:
    status, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().rstrip().split("\r\n")
    named = (line.partition(": ") for line in lines)
    headers = CIMultiDict((name, value) for name, _, value in named)
    code = int(status.split()[1])
    length = 0 if bare or code in (204, 304) else int(headers["Content-Length"])
    return Answer(code, CIMultiDictProxy(headers), await reader.readexactly(length))


def two_ports() -> tuple[int, int]:
    """Free ports, below those that the kernel gives to clients: these come and go."""
    while True:
        port = SystemRandom().randrange(20_000, 32_000, 2)
        with socket() as one, socket() as two, suppress(OSError):
            one.bind(("127.0.0.1", port))
            two.bind(("127.0.0.1", port + 1))
            return port, port + 1


@asynccontextmanager
async def origin(data: Path, now: UtcMicros, cdn: str = "generic") -> AsyncIterator[Site]:
    """The origin process of a data folder, in this one."""
    port, control = two_ports()
    config = parse_config(
        f"data: unused\norigin: {{host: 127.0.0.1, port: {port}, control_port: {control}, "
        f"cdn: {cdn}}}\nchannels:\n  tv: {{source: {{type: pattern}}, ladder: hd, window: 20s}}\n",
        "ringside.yaml",
    )
    clock = ManualClock(now)
    running = asyncio.create_task(serve(config, data, clock))
    session = aiohttp.ClientSession(
        auto_decompress=False,
        timeout=aiohttp.ClientTimeout(total=2 * SOON),
        skip_auto_headers=("Accept-Encoding", "User-Agent"),
    )
    try:
        async with session:
            site = Site(port, clock, session)
            while not running.done():
                with suppress(aiohttp.ClientConnectorError):
                    await site.ask("/healthz")
                    break
                await asyncio.sleep(0.002)
            yield site
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


@asynccontextmanager
async def serving(made: Packager, cdn: str = "generic") -> AsyncIterator[Site]:
    """The origin of a channel, at a moment when its edge is fresh."""
    edge = max(made.journal.timeline.edge, made.first)
    async with origin(made.folder.parent, made.grid.micros(edge + 2), cdn) as site:
        yield site


def request(line: str, *headers: str) -> bytes:
    return "\r\n".join([f"{line} HTTP/1.1", "Host: x", *headers, "", ""]).encode("latin-1")


def check(answer: Answer, *, bare: bool = False) -> None:
    """What holds of every answer."""
    assert re.fullmatch(
        r"no-store|public, max-age=\d+(, immutable)?", answer.one("Cache-Control")
    ), answer.headers
    assert answer.one("Access-Control-Allow-Origin") == "*"
    assert parsedate_to_datetime(answer.one("Date")).tzinfo is not None
    assert re.fullmatch(r"[\x21-\x7e]{1,128}", answer.one("X-Request-ID"))
    if answer.body or (bare and answer.status not in (204, 304)):
        assert re.fullmatch(r"[a-z]+/[a-z0-9.+-]+(; charset=utf-8)?", answer.one("Content-Type"))
        assert bare or int(answer.one("Content-Length")) == len(answer.body)
    if answer.status >= 400 and not bare:
        assert answer.body.decode().rstrip("\n").isprintable()
        assert answer.body.count(b"\n") <= 1
        assert "immutable" not in answer.one("Cache-Control")


FIRST = Grid(D).number_at_micros(START) + 1
ASKED = {
    "multivariant playlist": (200, "GET", "index.m3u8", {}),
    "media playlist": (200, "GET", "v0/index.m3u8", {}),
    "MPD": (200, "GET", "index.mpd", {}),
    "zipped MPD": (200, "GET", "index.mpd", {"Accept-Encoding": "gzip"}),
    "Smooth manifest": (200, "GET", "index.ism/Manifest", {}),
    "init section": (200, "GET", "v0/init-00000000.mp4", {}),
    "segment": (200, "GET", f"v0/{FIRST}.m4s", {}),
    "chunk": (200, "GET", f"a0/{FIRST}.1.m4s", {}),
    "time": (200, "GET", "time", {}),
    "health": (200, "GET", "/healthz", {}),
    "head": (200, "HEAD", f"v0/{FIRST}.m4s", {}),
    "part": (206, "GET", f"v0/{FIRST}.m4s", {"Range": "bytes=0-9"}),
    "known segment": (304, "GET", f"v0/{FIRST}.m4s", {"If-None-Match": "*"}),
    "known manifest": (304, "GET", "index.mpd", {"If-None-Match": "*"}),
    "bad name": (400, "GET", "v0/x.m4s", {}),
    "bad channel": (400, "GET", "/live/TV/index.mpd", {}),
    "long path": (400, "GET", "v0/" + "x" * 4000, {}),
    "outside": (404, "GET", "/favicon.ico", {}),
    "root": (404, "GET", "/", {}),
    "no channel": (404, "GET", "/live/radio/index.mpd", {}),
    "no track": (404, "GET", f"v9/{FIRST}.m4s", {}),
    "no version": (404, "GET", "v0/init-ffffffff.mp4", {}),
    "far future": (404, "GET", f"v0/{FIRST + 99}.m4s", {}),
    "no level": (404, "GET", "index.ism/QualityLevels(7)/Fragments(video=1)", {}),
    "post": (405, "POST", "index.mpd", {}),
    "delete": (405, "DELETE", f"v0/{FIRST}.m4s", {}),
    "gone": (410, "GET", f"v0/{FIRST - 1}.m4s", {}),
    "fragment of the future": (
        412,
        "GET",
        f"index.ism/QualityLevels(1000000)/Fragments(video={10**17})",
        {},
    ),
    "outside of the body": (416, "GET", f"v0/{FIRST}.m4s", {"Range": "bytes=9999-"}),
    "no media": (503, "GET", f"a0/{FIRST + 1}.m4s", {}),
    "preflight": (204, "OPTIONS", "index.mpd", {"Access-Control-Request-Method": "GET"}),
}


def fill(made: Packager) -> Packager:
    """Publish what `ASKED` asks for."""
    made.begin(0, FIRST - 1)
    for number in range(FIRST - 1, FIRST + 3):
        made.whole(number)
    made.trim(FIRST)
    made.path("a0", FIRST + 1).unlink()
    return made


# Every answer.


@pytest.mark.parametrize("name", ASKED)
async def test_every_answer_says_what_a_cdn_must_know(tmp_path: Path, name: str) -> None:
    status, method, path, headers = ASKED[name]
    async with serving(fill(packager(tmp_path))) as site:
        answer = await site.ask(path, method, headers)
    assert answer.status == status
    check(answer, bare=method == "HEAD")
    assert ("Retry-After" in answer.headers) == (status == 503)


@pytest.mark.parametrize("name", [n for n, (_, method, *_) in ASKED.items() if method == "GET"])
async def test_a_head_is_a_get_without_a_body(tmp_path: Path, name: str) -> None:
    status, _, path, headers = ASKED[name]
    # RFC 9110 section 14.2 has no ranges for HEAD: servers differ, players do not ask.
    if "Range" in headers:
        headers, status = {}, 200
    async with serving(fill(packager(tmp_path))) as site:
        get = await site.ask(path, "GET", headers)
        head = await site.ask(path, "HEAD", headers)
    assert (get.status, head.status) == (status, status)
    assert head.lasting == get.lasting
    assert head.body == b""
    assert len(get.body) == int(head.headers.get("Content-Length", "0"))


@pytest.mark.parametrize("name", ASKED)
async def test_a_query_never_changes_the_answer(tmp_path: Path, name: str) -> None:
    status, method, path, headers = ASKED[name]
    async with serving(fill(packager(tmp_path))) as site:
        plain = await site.ask(path, method, headers)
        for query in (
            "?",
            "?cmcd=br%3D1&sid=%22x%22",
            "?a=b&a=c#d",
            "?%ff=%00",
            "?x=" + "y" * 3000,
        ):
            answer = await site.ask(path + query, method, headers)
            assert (answer.status, answer.body) == (status, plain.body)
            assert answer.lasting == plain.lasting


async def test_two_origins_of_a_journal_answer_alike(tmp_path: Path) -> None:
    made = packager(tmp_path)
    async with serving(made) as early:
        fill(made)
        await early.until(f"v0/{FIRST + 2}.m4s")
        async with serving(made) as late:
            early.clock.advance_to(late.clock.now())
            for _, method, path, headers in ASKED.values():
                one = await early.ask(path, method, headers)
                two = await late.ask(path, method, headers)
                assert (one.status, one.body) == (two.status, two.body)
                assert one.lasting == two.lasting


@pytest.mark.parametrize("given", ["1", "a-b_c.d:e/f", "0" * 128, "{%22}", "Root=1-67891233-abc"])
async def test_a_request_id_is_echoed(tmp_path: Path, given: str) -> None:
    async with serving(channel(tmp_path)) as site:
        for path in ("index.mpd", "nothing"):
            answer = await site.ask(path, headers={"X-Request-ID": given})
            assert answer.one("X-Request-ID") == given


@pytest.mark.parametrize(
    "given", ["", " ", "a b", "a\tb", "0" * 129, "\xe9", "a,\xa0b", "x" * 8000]
)
async def test_a_hostile_request_id_is_replaced(tmp_path: Path, given: str) -> None:
    path = f"/live/tv/v0/{FIRST}.m4s"
    async with serving(channel(tmp_path)) as site:
        (answer,) = await site.raw(request(f"GET {path}", f"X-Request-ID: {given}"))
        (other,) = await site.raw(request(f"GET {path}", f"X-Request-ID: {given}"))
    check(answer)
    assert answer.status == 200
    assert answer.one("X-Request-ID") not in (given, other.one("X-Request-ID"))


async def test_a_connection_goes_on_after_answers_without_a_body(tmp_path: Path) -> None:
    path = f"/live/tv/v0/{FIRST}.m4s"
    async with serving(channel(tmp_path)) as site:
        answers = await site.raw(
            request(f"HEAD {path}"),
            request(f"GET {path}", "If-None-Match: *"),
            request(f"OPTIONS {path}"),
            request(f"GET {path}", "Range: bytes=9999-"),
            request("HEAD /live/tv/index.mpd", "Accept-Encoding: gzip"),
            request(f"GET {path}", "Range: bytes=-3"),
            request(f"POST {path}", "Content-Length: 0"),
            request(f"GET {path}"),
        )
    assert [answer.status for answer in answers] == [200, 304, 204, 416, 200, 206, 405, 200]
    assert answers[-1].body == payload("v0", FIRST, 0) + payload("v0", FIRST, 1)


async def test_a_body_that_nobody_asked_for_is_no_problem(tmp_path: Path) -> None:
    async with serving(channel(tmp_path)) as site:
        async with site.session.post(
            f"http://127.0.0.1:{site.port}/live/tv/index.mpd", data=BytesIO(bytes(5_000_000))
        ) as response:
            assert response.status == 405
            assert response.headers["Allow"] == "GET, HEAD, OPTIONS"
        assert (await site.ask("index.mpd")).status == 200


async def test_a_preflight_lets_players_ask_for_ranges(tmp_path: Path) -> None:
    async with serving(channel(tmp_path)) as site:
        answer = await site.ask(
            f"v0/{FIRST}.m4s",
            "OPTIONS",
            {
                "Origin": "https://player.example",
                "Access-Control-Request-Method": "GET",
                "Access-Control-Request-Headers": "range",
            },
        )
    assert answer.status == 204
    assert "GET" in answer.one("Access-Control-Allow-Methods")
    assert "range" in answer.one("Access-Control-Allow-Headers").lower()
    assert answer.one("Access-Control-Allow-Origin") == "*"


# Media.


@pytest.mark.parametrize(
    ("path", "kind", "body"),
    [
        ("v0/init-00000000.mp4", "video/mp4", INIT + b"00000000"),
        ("a0/init-00000000.mp4", "audio/mp4", INIT + b"00000000"),
        (f"v0/{FIRST}.m4s", "video/mp4", payload("v0", FIRST, 0) + payload("v0", FIRST, 1)),
        (f"a0/{FIRST}.m4s", "audio/mp4", payload("a0", FIRST, 0) + payload("a0", FIRST, 1)),
        (f"v0/{FIRST + 1}.0.m4s", "video/mp4", payload("v0", FIRST + 1, 0)),
        (f"v0/{FIRST + 1}.1.m4s", "video/mp4", payload("v0", FIRST + 1, 1)),
    ],
)
async def test_media(tmp_path: Path, path: str, kind: str, body: bytes) -> None:
    async with serving(channel(tmp_path)) as site:
        answer = await site.ask(path)
    assert (answer.status, answer.body) == (200, body)
    assert answer.one("Content-Type") == kind
    assert answer.one("Cache-Control") == "public, max-age=31536000, immutable"
    assert answer.one("Accept-Ranges") == "bytes"
    assert re.fullmatch(r'"[!#-~]+"', answer.tag)
    assert parsedate_to_datetime(answer.one("Last-Modified")).timestamp() * MICROS < START + 10**7


async def test_a_segment_larger_than_any_buffer(tmp_path: Path) -> None:
    made = packager(tmp_path)
    made.begin(0, FIRST)
    made.whole(FIRST, size=3_000_001)
    whole = payload("v0", FIRST, 0, 3_000_001) + payload("v0", FIRST, 1, 3_000_001)
    async with serving(made) as site:
        assert (await site.ask(f"v0/{FIRST}.m4s")).body == whole
        assert (await site.ask(f"v0/{FIRST}.1.m4s")).body == whole[3_000_001:]
        said = {"Range": "bytes=262143-5000000"}
        assert (await site.ask(f"v0/{FIRST}.m4s", headers=said)).body == whole[262_143:5_000_001]


async def test_bytes_behind_the_last_record_are_never_served(tmp_path: Path) -> None:
    made = channel(tmp_path)
    with made.path("v0", FIRST).open("ab") as file:
        file.write(b"left by a crash")
    async with serving(made) as site:
        answer = await site.ask(f"v0/{FIRST}.m4s")
        tail = await site.ask(f"v0/{FIRST}.m4s", headers={"Range": "bytes=-5"})
    assert answer.body == payload("v0", FIRST, 0) + payload("v0", FIRST, 1)
    assert tail.body == answer.body[-5:]


async def test_a_channel_that_is_not_configured_is_not_served(tmp_path: Path) -> None:
    made = packager(tmp_path, name="radio")
    made.begin(0, FIRST)
    made.whole(FIRST)
    async with serving(made) as site:
        for file in ("index.mpd", f"v0/{FIRST}.m4s", "v0/init-00000000.mp4"):
            assert (await site.ask(f"/live/radio/{file}")).status == 404


async def test_a_chunk_has_the_same_tag_before_and_after_its_segment_is_whole(
    tmp_path: Path,
) -> None:
    made = channel(tmp_path)
    number = FIRST + 3
    async with serving(made) as site:
        made.chunk("v0", number, 0)
        before = await site.until(f"v0/{number}.0.m4s")
        made.chunk("v0", number, 1)
        made.end("v0", number)
        await site.until(f"v0/{number}.m4s")
        after = await site.ask(f"v0/{number}.0.m4s")
    assert (after.body, after.lasting) == (before.body, before.lasting)


# Conditions and ranges.


@pytest.mark.parametrize("form", ["{}", "W/{}", '"x", {}', '"x",W/{},"y"', "*"])
@pytest.mark.parametrize("path", [f"v0/{FIRST}.m4s", "index.m3u8", "v0/init-00000000.mp4"])
async def test_what_is_known_is_not_sent_again(tmp_path: Path, path: str, form: str) -> None:
    async with serving(channel(tmp_path)) as site:
        known = await site.ask(path)
        answer = await site.ask(path, headers={"If-None-Match": form.format(known.tag)})
    assert (answer.status, answer.body) == (304, b"")
    for name in ("ETag", "Cache-Control", "Last-Modified"):
        assert answer.one(name) == known.one(name)
    assert answer.headers.getall("Vary", []) == known.headers.getall("Vary", [])


async def test_what_was_not_modified_since_is_not_sent_again(tmp_path: Path) -> None:
    async with serving(channel(tmp_path)) as site:
        for path in (f"v0/{FIRST}.m4s", "index.m3u8"):
            known = await site.ask(path)
            said = {"If-Modified-Since": known.one("Last-Modified")}
            assert (await site.ask(path, headers=said)).status == 304
            said = {"If-Modified-Since": "Thu, 01 Jan 2026 00:00:00 GMT"}
            assert (await site.ask(path, headers=said)).status == 200


WHOLE = payload("v0", FIRST, 0) + payload("v0", FIRST, 1)


@pytest.mark.parametrize(
    ("asked", "part"),
    [
        ("bytes=0-0", slice(0, 1)),
        ("bytes=990-1009", slice(990, 1010)),
        ("bytes=1500-", slice(1500, 2000)),
        ("bytes=1999-5000", slice(1999, 2000)),
        ("bytes=-1", slice(1999, 2000)),
        ("bytes=-5000", slice(0, 2000)),
    ],
)
async def test_a_part_of_a_segment(tmp_path: Path, asked: str, part: slice) -> None:
    async with serving(channel(tmp_path)) as site:
        whole = await site.ask(f"v0/{FIRST}.m4s")
        answer = await site.ask(f"v0/{FIRST}.m4s", headers={"Range": asked})
    check(answer)
    assert (answer.status, answer.body) == (206, WHOLE[part])
    assert answer.one("Content-Range") == f"bytes {part.start}-{part.stop - 1}/2000"
    assert answer.tag == whole.tag


async def test_a_part_of_a_chunk_counts_from_the_chunk_s_first_byte(tmp_path: Path) -> None:
    async with serving(channel(tmp_path)) as site:
        answer = await site.ask(f"v0/{FIRST}.1.m4s", headers={"Range": "bytes=10-19"})
    assert (answer.status, answer.body) == (206, WHOLE[1010:1020])
    assert answer.one("Content-Range") == "bytes 10-19/1000"


@pytest.mark.parametrize("asked", ["bytes=2000-", "bytes=2000-2001", "bytes=-0"])
async def test_no_byte_of_a_segment(tmp_path: Path, asked: str) -> None:
    async with serving(channel(tmp_path)) as site:
        answer = await site.ask(f"v0/{FIRST}.m4s", headers={"Range": asked})
    assert answer.status == 416
    assert answer.one("Content-Range") == "bytes */2000"
    check(answer)


@pytest.mark.parametrize(
    "asked", ["bytes=0-1,5-6", "bytes=5-1", "bytes=x", "bytes", "", "lines=0-1", "bytes=0-1;x"]
)
async def test_what_is_no_single_range_gets_all(tmp_path: Path, asked: str) -> None:
    async with serving(channel(tmp_path)) as site:
        answer = await site.ask(f"v0/{FIRST}.m4s", headers={"Range": asked})
    assert (answer.status, answer.body) == (200, WHOLE)


async def test_a_manifest_is_sent_whole(tmp_path: Path) -> None:
    async with serving(channel(tmp_path)) as site:
        whole = await site.ask("index.m3u8")
        answer = await site.ask("index.m3u8", headers={"Range": "bytes=0-1"})
    assert (answer.status, answer.body) == (200, whole.body)


@pytest.mark.parametrize(("same", "status"), [(True, 206), (False, 200)])
async def test_a_range_of_the_body_that_is_known(
    tmp_path: Path,
    same: bool,  # noqa: FBT001
    status: int,
) -> None:
    async with serving(channel(tmp_path)) as site:
        known = await site.ask(f"v0/{FIRST}.m4s")
        condition = known.tag if same else '"x"'
        said = {"Range": "bytes=0-9", "If-Range": condition}
        answer = await site.ask(f"v0/{FIRST}.m4s", headers=said)
    assert (answer.status, answer.body) == (status, WHOLE[:10] if same else WHOLE)


# Manifests.


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("index.m3u8", "application/vnd.apple.mpegurl"),
        ("v0/index.m3u8", "application/vnd.apple.mpegurl"),
        ("index.mpd", "application/dash+xml"),
        ("index.ism/Manifest", "text/xml"),
    ],
)
async def test_a_live_manifest(tmp_path: Path, path: str, kind: str) -> None:
    async with serving(channel(tmp_path)) as site:
        answer = await site.ask(path)
    assert answer.one("Content-Type").partition(";")[0] == kind
    assert answer.one("Cache-Control") == "public, max-age=1"
    assert answer.one("Vary") == "Accept-Encoding"
    assert re.fullmatch(r'"[!#-~]+"', answer.tag)


MANIFESTS = ["index.m3u8", "v0/index.m3u8", "index.mpd", "index.ism/Manifest"]


@pytest.mark.parametrize("path", MANIFESTS)
async def test_a_manifest_grows_with_the_journal(tmp_path: Path, path: str) -> None:
    made = channel(tmp_path)
    async with serving(made) as site:
        before = await site.ask(path)
        made.whole(FIRST + 3, size=2000)
        await site.until(f"a0/{FIRST + 3}.m4s")
        after = await site.ask(path, headers={"If-None-Match": before.tag})
    assert after.status == 200
    assert after.tag != before.tag
    assert after.body != before.body


async def test_a_playlist_names_what_can_be_fetched(tmp_path: Path) -> None:
    async with serving(channel(tmp_path)) as site:
        playlist = m3u8.loads((await site.ask("v0/index.m3u8")).body.decode())
        names = [segment.uri for segment in playlist.segments]
        assert names == [f"{number}.m4s" for number in range(FIRST, FIRST + 3)]
        for name in [*names, playlist.segment_map[0].uri]:
            assert (await site.ask(f"v0/{name}")).status == 200


@pytest.mark.parametrize("path", MANIFESTS)
async def test_the_manifest_of_an_ended_channel(tmp_path: Path, path: str) -> None:
    made = channel(tmp_path)
    made.note(Ended(START))
    long_after = UtcMicros(START + 10**6 * MICROS)
    async with origin(tmp_path, long_after) as site:
        answer = await site.ask(path)
    assert answer.status == 200
    assert answer.one("Cache-Control") == "public, max-age=3600"


@pytest.mark.parametrize("path", MANIFESTS)
async def test_an_edge_that_goes_stale_is_not_handed_out_until_it_goes_on(
    tmp_path: Path, path: str
) -> None:
    made = channel(tmp_path)
    async with serving(made) as site:
        assert (await site.ask(path)).status == 200
        site.clock.advance_to(made.grid.micros(FIRST + 12))
        stale = await site.ask(path)
        assert stale.status == 503
        assert int(stale.one("Retry-After")) >= 1
        check(stale)
        assert (await site.ask(f"v0/{FIRST}.m4s")).status == 200
        made.begin(1, FIRST + 10)
        made.whole(FIRST + 10)
        made.whole(FIRST + 11)
        await site.until(path)


@pytest.mark.parametrize("path", MANIFESTS)
async def test_a_channel_without_data_is_not_there_yet(tmp_path: Path, path: str) -> None:
    async with origin(tmp_path, START) as site:
        answer = await site.ask(path)
        assert answer.status == 503
        assert int(answer.one("Retry-After")) >= 1
        check(answer)
        made = channel(tmp_path)
        site.clock.advance_to(made.grid.micros(FIRST + 4))
        await site.until(path)


@pytest.mark.parametrize(
    "accepted", ["gzip", "gzip, br", "br;q=1, gzip;q=0.5", "*", "GZIP", "deflate , gzip ;q=1.0"]
)
async def test_a_manifest_is_zipped_for_who_accepts_it(tmp_path: Path, accepted: str) -> None:
    async with serving(channel(tmp_path)) as site:
        for path in MANIFESTS:
            plain = await site.ask(path)
            zipped = await site.ask(path, headers={"Accept-Encoding": accepted})
            assert zipped.one("Content-Encoding") == "gzip"
            assert gzip.decompress(zipped.body) == plain.body
            assert zipped.tag != plain.tag
            assert zipped.one("Vary") == "Accept-Encoding"
            assert "Content-Encoding" not in plain.headers
            known = {"Accept-Encoding": accepted, "If-None-Match": zipped.tag}
            assert (await site.ask(path, headers=known)).status == 304
            known = {"Accept-Encoding": accepted, "If-None-Match": plain.tag}
            assert (await site.ask(path, headers=known)).status == 200


# RFC 9110 section 12.5.3: what is named counts more than `*`, wherever it stands.
@pytest.mark.parametrize(
    "accepted",
    [
        *["", "identity", "br", "gzip;q=0", "gzip; q=0.000", "*;q=0", "GZIP;Q=0", "xgzip"],
        *["gzip;q=0, *", "*, gzip;q=0", "br, deflate"],
    ],
)
async def test_a_manifest_is_plain_for_who_does_not(tmp_path: Path, accepted: str) -> None:
    async with serving(channel(tmp_path)) as site:
        plain = await site.ask("index.mpd")
        answer = await site.ask("index.mpd", headers={"Accept-Encoding": accepted})
    assert "Content-Encoding" not in answer.headers
    assert (answer.body, answer.tag) == (plain.body, plain.tag)


async def test_media_is_never_zipped(tmp_path: Path) -> None:
    async with serving(channel(tmp_path)) as site:
        answer = await site.ask(f"v0/{FIRST}.m4s", headers={"Accept-Encoding": "gzip"})
    assert (answer.body, "Content-Encoding" in answer.headers) == (WHOLE, False)


# Holding a request until what it asks for is there.


async def test_the_next_segment_is_held_until_it_is_there(tmp_path: Path) -> None:
    made = channel(tmp_path, LONG)
    number = made.first + 3
    async with serving(made) as site, asyncio.timeout(SOON):
        asking = await site.held(f"v0/{number}.m4s")
        made.whole(number, "v0")
        answer = await asking
    check(answer)
    assert answer.status == 200
    assert answer.body == payload("v0", number, 0) + payload("v0", number, 1)
    assert answer.one("Cache-Control") == "public, max-age=31536000, immutable"


async def test_a_held_request_is_answered_as_soon_as_the_journal_says_so(tmp_path: Path) -> None:
    made = channel(tmp_path, LONG)
    waited = 0.0
    async with serving(made) as site, asyncio.timeout(2 * SOON):
        for number in range(made.first + 3, made.first + 8):
            asking = await site.held(f"v0/{number}.m4s")
            made.whole(number, "v0")
            since = monotonic()
            assert (await asking).status == 200
            waited += monotonic() - since
    # A look once a second, for want of word from the kernel, would take five.
    assert waited < 2.5


async def test_the_next_chunk_is_held_until_it_is_there(tmp_path: Path) -> None:
    made = channel(tmp_path, LONG)
    number = made.first + 3
    made.chunk("v0", number, 0)
    async with serving(made) as site, asyncio.timeout(SOON):
        asking = await site.held(f"v0/{number}.1.m4s")
        data = made.chunk("v0", number, 1)
        answer = await asking
    assert (answer.status, answer.body) == (200, data)


async def test_the_first_chunk_of_a_segment_is_held_until_it_is_there(tmp_path: Path) -> None:
    made = channel(tmp_path, LONG)
    number = made.first + 3
    made.chunk("v0", number, 0)
    async with serving(made) as site, asyncio.timeout(SOON):
        asking = await site.held(f"v0/{number + 1}.0.m4s")
        made.chunk("v0", number, 1)
        made.end("v0", number)
        data = made.chunk("v0", number + 1, 0)
        answer = await asking
    assert (answer.status, answer.body) == (200, data)


async def test_the_next_chunk_of_a_channel_s_first_segment_is_held(tmp_path: Path) -> None:
    made = packager(tmp_path, LONG)
    made.begin(0, made.first)
    made.chunk("v0", made.first, 0)
    async with serving(made) as site, asyncio.timeout(SOON):
        asking = await site.held(f"v0/{made.first}.1.m4s")
        data = made.chunk("v0", made.first, 1)
        answer = await asking
    assert (answer.status, answer.body) == (200, data)


async def test_bytes_without_a_record_are_not_there(tmp_path: Path) -> None:
    made = channel(tmp_path, LONG)
    number = made.first + 3
    data = payload("v0", number, 0)
    made.store.append("v0", number, [data])
    async with serving(made) as site, asyncio.timeout(SOON):
        asking = await site.held(f"v0/{number}.0.m4s")
        made.note(made.record("v0", number, 0))
        answer = await asking
    assert (answer.status, answer.body) == (200, data)


async def test_another_track_s_segment_releases_nothing(tmp_path: Path) -> None:
    made = channel(tmp_path, LONG)
    number = made.first + 3
    async with serving(made) as site, asyncio.timeout(SOON):
        asking = await site.held(f"v0/{number}.m4s")
        made.whole(number, "a0")
        await site.until(f"a0/{number}.m4s")
        assert not asking.done()
        made.whole(number, "v0")
        assert (await asking).status == 200


async def test_many_are_held_and_released_together(tmp_path: Path) -> None:
    made = channel(tmp_path, LONG)
    number = made.first + 3
    async with serving(made) as site, asyncio.timeout(2 * SOON):
        asking = await asyncio.gather(*(site.held(f"v0/{number}.m4s") for _ in range(80)))
        assert (await site.ask(f"v0/{made.first}.m4s")).status == 200
        made.whole(number, "v0")
        answers = await asyncio.gather(*asking)
    assert {answer.status for answer in answers} == {200}
    assert len({(answer.body, answer.tag) for answer in answers}) == 1


async def test_a_client_that_leaves_while_held_harms_nobody(tmp_path: Path) -> None:
    made = channel(tmp_path, LONG)
    number = made.first + 3
    async with serving(made) as site, asyncio.timeout(SOON):
        leaving, staying = await site.held(f"v0/{number}.m4s"), await site.held(f"v0/{number}.m4s")
        leaving.cancel()
        assert (await site.ask("/healthz")).status == 200
        made.whole(number, "v0")
        assert (await staying).status == 200


@pytest.mark.parametrize(
    ("cdn", "kept"), [("generic", "public, max-age=1"), ("cloudfront", "no-store")]
)
async def test_what_does_not_come_is_404_after_half_a_segment(
    tmp_path: Path, cdn: str, kept: str
) -> None:
    made = channel(tmp_path, QUICK)
    made.chunk("v0", made.first + 3, 0)
    async with serving(made, cdn) as site:
        for file in (f"v0/{made.first + 3}.m4s", f"v0/{made.first + 3}.1.m4s"):
            since = monotonic()
            answer = await site.ask(file)
            assert answer.status == 404
            assert QUICK / 2 * 9 / 10 <= monotonic() - since < SOON
            assert answer.one("Cache-Control") == kept


async def test_half_a_segment_is_counted_from_the_request(tmp_path: Path) -> None:
    made = channel(tmp_path, 5 * QUICK)
    number = made.first + 3
    async with serving(made) as site, asyncio.timeout(SOON):
        asking = asyncio.create_task(site.ask(f"v0/{number}.m4s"))
        while not asking.done():
            made.chunk("a0", number, 0, 10)
            await asyncio.sleep(0.01)
        assert asking.result().status == 404


@pytest.mark.parametrize("file", ["v0/{}.m4s", "v0/{}.1.m4s"])
async def test_what_is_further_in_the_future_is_404_at_once(tmp_path: Path, file: str) -> None:
    made = channel(tmp_path, LONG)
    async with serving(made) as site, asyncio.timeout(SOON):
        answer = await site.ask(file.format(made.first + 4))
    assert (answer.status, answer.one("Cache-Control")) == (404, "public, max-age=1")


async def test_nothing_follows_the_end(tmp_path: Path) -> None:
    made = channel(tmp_path, LONG)
    made.note(Ended(START))
    async with serving(made) as site, asyncio.timeout(SOON):
        assert (await site.ask(f"v0/{made.first + 3}.m4s")).status == 404


async def test_a_channel_that_ends_releases_who_waits(tmp_path: Path) -> None:
    made = channel(tmp_path, LONG)
    async with serving(made) as site, asyncio.timeout(SOON):
        asking = await site.held(f"v0/{made.first + 3}.m4s")
        made.note(Ended(START))
        assert (await asking).status == 404


async def test_what_leaves_the_retention_is_gone(tmp_path: Path) -> None:
    made = channel(tmp_path)
    async with serving(made) as site:
        assert (await site.ask(f"v0/{FIRST}.m4s")).status == 200
        made.trim(FIRST + 1)
        gone = await site.until(f"v0/{FIRST}.m4s", 410)
        assert gone.one("Cache-Control") == "public, max-age=60"
        assert (await site.ask(f"v0/{FIRST}.0.m4s")).status == 410
        assert (await site.ask(f"v0/{FIRST + 1}.m4s")).status == 200


@pytest.mark.parametrize(
    ("cdn", "kept"), [("generic", "public, max-age=2"), ("cloudfront", "no-store")]
)
async def test_a_hole_is_404(tmp_path: Path, cdn: str, kept: str) -> None:
    made = channel(tmp_path)
    made.begin(1, FIRST + 6)
    made.whole(FIRST + 6)
    async with serving(made, cdn) as site:
        answer = await site.ask(f"v0/{FIRST + 4}.m4s")
    assert (answer.status, answer.one("Cache-Control")) == (404, kept)


# Smooth fragments, of real segments.


def fragments_of(manifest: Answer) -> list[str]:
    """The paths of the video fragments that a Smooth manifest names."""
    stream = next(
        s for s in etree.fromstring(manifest.body).iter("StreamIndex") if s.get("Type") == "video"
    )
    level = next(stream.iter("QualityLevel"))
    form = stream.get("Url", "").replace("{bitrate}", level.get("Bitrate", ""))
    paths, time = [], 0
    for entry in stream.iter("c"):
        time = int(entry.get("t", time))
        for _ in range(int(entry.get("r", "1"))):
            paths.append("index.ism/" + form.replace("{start time}", str(time)))
            time += int(entry.get("d", ""))
    return paths


def fragment_path(made: Packager, index: int) -> str:
    """The path of the fragment of the video's segment at `index` of the first one."""
    track = made.journal.timeline.latest("v0")
    assert track is not None
    number = made.journal.timeline.periods[0].number + index
    time = smooth_time(made.grid.boundary(number, track.timescale), track.timescale)
    return f"index.ism/QualityLevels({track.bitrate})/Fragments(video={time})"


async def test_a_fragment_says_where_it_lies_and_what_follows(tmp_path: Path) -> None:
    made = packager(tmp_path)
    publish(made, a_feed())
    segments = made.journal.timeline.tracks["v0"].segments
    track = made.journal.timeline.latest("v0")
    assert track is not None
    async with serving(made) as site:
        paths = fragments_of(await site.ask("index.ism/Manifest"))
        assert len(paths) == len(segments) - 1
        for path, segment, after in zip(paths, segments[:-1], segments[1:], strict=True):
            answer = await site.ask(path)
            check(answer)
            assert answer.status == 200
            assert answer.one("Content-Type") == "video/mp4"
            assert answer.one("Cache-Control") == "public, max-age=31536000, immutable"
            assert [b.type for b in children(answer.body, 0, len(answer.body))] == [
                b"moof",
                b"mdat",
            ]
            find(answer.body, 0, len(answer.body), b"moof", b"traf", b"uuid")
            assert pack(">QQ", *span(segment, track.timescale)) in answer.body
            assert pack(">BQQ", 1, *span(after, track.timescale)) in answer.body


async def test_a_fragment_has_parts_and_tags(tmp_path: Path) -> None:
    made = packager(tmp_path)
    publish(made, a_feed())
    async with serving(made) as site:
        path = fragment_path(made, 0)
        whole = await site.ask(path)
        part = await site.ask(path, headers={"Range": "bytes=8-15"})
        known = await site.ask(path, headers={"If-None-Match": whole.tag})
        head = await site.ask(path, "HEAD")
    assert (part.status, part.body) == (206, whole.body[8:16])
    assert (known.status, known.body) == (304, b"")
    assert (head.status, head.lasting) == (200, whole.lasting)


async def test_the_newest_fragment_is_held_until_its_successor_is_there(tmp_path: Path) -> None:
    played = a_feed()
    last = [place for place, r in enumerate(played.records) if isinstance(r, SegmentEnded)][-2]
    made = packager(tmp_path)
    publish(made, played, stop=last)
    async with serving(made) as site, asyncio.timeout(SOON):
        asking = await site.held(fragment_path(made, 2))
        publish(made, played, start=last)
        assert (await asking).status == 200


async def test_a_fragment_that_does_not_come_is_412(tmp_path: Path) -> None:
    made = channel(tmp_path, QUICK)
    async with serving(made) as site, asyncio.timeout(SOON):
        for index in (2, 3, 4, 99):
            answer = await site.ask(fragment_path(made, index))
            check(answer)
            assert (answer.status, answer.one("Cache-Control")) == (412, "public, max-age=1")


async def test_a_fragment_in_a_hole_is_412_and_one_that_left_is_404(tmp_path: Path) -> None:
    made = channel(tmp_path)
    paths = [fragment_path(made, index) for index in range(9)]
    made.begin(1, FIRST + 6)
    made.whole(FIRST + 6)
    made.whole(FIRST + 7)
    made.trim(FIRST + 1)
    async with serving(made) as site:
        assert [(await site.ask(paths[index])).status for index in (0, 4)] == [404, 412]


# docs/decisions/0004: the bytes of a published fragment never change.
async def test_a_fragment_that_may_change_is_not_kept_for_ever(tmp_path: Path) -> None:
    played = a_feed()
    ends = len(played.records)
    made = packager(tmp_path)
    publish(made, played)
    made.note(Ended(START))
    path = fragment_path(made, 3)
    async with serving(made) as site:
        before = await site.ask(path)
        assert before.status == 200
        go_on(played, UtcMicros(START + 20 * MICROS))
        publish(made, played, start=ends)
        newest = made.journal.timeline.tracks["v0"].segments[-1].number
        await site.until(f"v0/{newest}.m4s")
        after = await site.ask(path)
    assert after.body == before.body or "immutable" not in before.one("Cache-Control")


# Media that the journal names and the disk has not.


def damage(path: Path, how: str) -> None:
    size = path.stat().st_size
    if how == "missing":
        path.unlink()
    elif how == "a folder":
        path.unlink()
        path.mkdir()
    else:
        os.truncate(path, {"empty": 0, "cut short": size // 3, "a byte short": size - 1}[how])


DAMAGED = ["missing", "empty", "cut short", "a byte short", "a folder"]


@pytest.mark.parametrize("how", DAMAGED)
@pytest.mark.parametrize("size", [1000, 1_500_000])
async def test_a_segment_that_cannot_be_read_is_503(tmp_path: Path, how: str, size: int) -> None:
    made = packager(tmp_path)
    made.begin(0, FIRST)
    made.whole(FIRST, size=size)
    damage(made.path("v0", FIRST), how)
    async with serving(made) as site:
        for file, said in (
            (f"v0/{FIRST}.m4s", {}),
            (f"v0/{FIRST}.1.m4s", {}),
            (f"v0/{FIRST}.m4s", {"Range": "bytes=-9"}),
        ):
            (answer,) = await site.raw(
                request(f"GET /live/tv/{file}", *(f"{name}: {v}" for name, v in said.items()))
            )
            assert answer.status == 503
            check(answer)
            assert int(answer.one("Retry-After")) >= 1
        assert (await site.ask(f"a0/{FIRST}.m4s")).status == 200


async def test_a_head_of_a_segment_that_is_missing_is_503(tmp_path: Path) -> None:
    made = channel(tmp_path)
    damage(made.path("v0", FIRST), "missing")
    async with serving(made) as site:
        assert (await site.ask(f"v0/{FIRST}.m4s", "HEAD")).status == 503


@pytest.mark.parametrize("how", ["missing", "a folder"])
async def test_an_init_section_that_cannot_be_read_is_503(tmp_path: Path, how: str) -> None:
    made = channel(tmp_path)
    damage(made.folder / "v0" / "init-00000000.mp4", how)
    async with serving(made) as site:
        answer = await site.ask("v0/init-00000000.mp4")
    assert answer.status == 503
    check(answer)


@pytest.mark.parametrize("how", [*DAMAGED, "no media"])
async def test_a_fragment_of_a_segment_that_cannot_be_read_is_503(tmp_path: Path, how: str) -> None:
    made = packager(tmp_path)
    publish(made, a_feed())
    path = made.path("v0", made.journal.timeline.periods[0].number)
    if how == "no media":
        path.write_bytes(bytes(path.stat().st_size))
    else:
        damage(path, how)
    async with serving(made) as site:
        answer = await site.ask(fragment_path(made, 0))
        assert answer.status == 503
        check(answer)
        assert (await site.ask(fragment_path(made, 1))).status == 200


# The journal.


def rewrite(made: Packager) -> None:
    """Make the journal worth rewriting, and do it."""
    path = made.folder / JOURNAL
    made.note(*[TrackAdded(described("v0"))] * 6000)
    size = path.stat().st_size
    made.journal.rewrite_if_worth_it()
    assert path.stat().st_size < size


async def test_a_journal_is_rewritten_while_followed(tmp_path: Path) -> None:
    made = channel(tmp_path)
    made.trim(FIRST + 1)
    async with serving(made) as site:
        for number in range(FIRST + 3, FIRST + 6):
            before = await site.ask("index.mpd")
            rewrite(made)
            made.chunk("v0", number, 0)
            await site.until(f"v0/{number}.0.m4s")
            after = await site.ask("index.mpd")
            assert (after.body, after.lasting) == (before.body, before.lasting)
            assert (await site.ask(f"v0/{FIRST}.m4s")).status == 410
            assert (await site.ask(f"v0/{FIRST + 1}.m4s")).status == 200
            made.chunk("v0", number, 1)
            made.end("v0", number)
            made.whole(number, "a0")
            await site.until(f"a0/{number}.m4s")
            site.clock.advance_to(made.grid.micros(number + 2))


async def test_nobody_is_refused_while_a_journal_is_rewritten(tmp_path: Path) -> None:
    made = channel(tmp_path)
    seen: set[int] = set()

    async def watch(site: Site) -> None:
        while True:
            for file in ("index.mpd", "v0/index.m3u8", f"v0/{FIRST}.m4s", "a0/init-00000000.mp4"):
                seen.add((await site.ask(file)).status)

    async with serving(made) as site:
        watching = asyncio.create_task(watch(site))
        for index in range(3):
            rewrite(made)
            made.whole(FIRST + 3 + index)
            await site.until(f"a0/{FIRST + 3 + index}.m4s")
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching
    assert seen == {200}


async def test_a_rewritten_journal_releases_who_waits(tmp_path: Path) -> None:
    made = channel(tmp_path, LONG)
    number = made.first + 3
    async with serving(made) as site, asyncio.timeout(SOON):
        asking = await site.held(f"v0/{number}.m4s")
        rewrite(made)
        made.whole(number, "v0")
        assert (await asking).status == 200


# The machine's clock may be set back: what is in the journal stays readable.
async def test_a_journal_is_rewritten_after_the_clock_went_back(tmp_path: Path) -> None:
    made = channel(tmp_path)
    number = FIRST + 3
    for index in (0, 1):
        made.chunk("v0", number, index)
    made.store.close("v0")
    made.note(SegmentEnded("v0", number, UtcMicros(START - 3600 * MICROS)))
    async with serving(made) as site:
        rewrite(made)
        made.whole(number + 1, "v0")
        await site.until(f"v0/{number + 1}.m4s")
        assert (await site.ask(f"v0/{FIRST}.m4s")).status == 200


@pytest.mark.parametrize("end", ["torn at once", "torn late", "wrong"])
async def test_an_end_that_the_packager_cuts_off_is_not_followed(tmp_path: Path, end: str) -> None:
    made = channel(tmp_path)
    number = FIRST + 3
    made.store.append("v0", number, [payload("v0", number, 0)])
    right, next_one = (encode(made.record("v0", number, index)) for index in (0, 1))
    left = {"torn at once": next_one[:1], "torn late": next_one[:-1], "wrong": b"0 {}\n"}[end]
    async with serving(made) as site:
        with (made.folder / JOURNAL).open("ab", buffering=0) as journal:
            journal.write(right + left)
        await site.until(f"v0/{number}.0.m4s")
        made.journal.close()
        again = packager(tmp_path)
        assert again.journal.cut_off == len(left)
        again.end("v0", number)
        again.begin(1, number + 2)
        for later in range(number + 2, number + 5):
            again.whole(later)
            await site.until(f"a0/{later}.m4s")
            assert (await site.ask(f"v0/{later}.m4s")).status == 200


async def test_a_damaged_journal_is_served_as_far_as_it_goes(tmp_path: Path) -> None:
    made = channel(tmp_path)
    with (made.folder / JOURNAL).open("ab") as journal:
        journal.write(b"\0" * 100 + b"\n")
    async with serving(made) as site:
        for path in (*MANIFESTS, f"v0/{FIRST + 2}.m4s"):
            assert (await site.ask(path)).status == 200


@pytest.mark.parametrize(
    "journal", [b"", b"\n", b"junk\n", bytes(100_000), encode(Header(VERSION + 1, "tv", D))]
)
async def test_a_journal_that_is_none_is_no_data_yet(tmp_path: Path, journal: bytes) -> None:
    (tmp_path / "tv").mkdir()
    (tmp_path / "tv" / JOURNAL).write_bytes(journal)
    async with origin(tmp_path, START) as site:
        for path in MANIFESTS:
            answer = await site.ask(path)
            assert answer.status == 503
            check(answer)
        assert (await site.ask("/healthz")).status == 200


async def test_what_was_read_stays_right_without_a_journal(tmp_path: Path) -> None:
    made = channel(tmp_path)
    async with serving(made) as site:
        before = await site.ask("index.mpd")
        (made.folder / JOURNAL).unlink()
        assert (await site.ask("index.mpd")).lasting == before.lasting
        assert (await site.ask(f"v0/{FIRST}.m4s")).status == 200


# Paths and headers of strangers.


SECRET = b"not for the public"
STRANGE = [
    "/live/tv/../../secret",
    "/live/tv/v0/../../../secret",
    "/live/../secret",
    "/../secret",
    "/live/tv/v0/../journal",
    "/live/tv/./journal",
    "/live/tv/%2e%2e/%2e%2e/secret",
    "/live/tv/%2e%2e%2f%2e%2e%2fsecret",
    "/live/tv/..%2f..%2fsecret",
    "/live/tv/%252e%252e/secret",
    "/live/tv/..%5c..%5csecret",
    "/live/%2e%2e/secret/x.m4s",
    "/live/../v0/1.m4s",
    "/live/tv/../1.m4s",
    "/live/tv/%2e%2e/init-00000000.mp4",
    "/live/%00/index.mpd",
    "/live/tv/v0/%00.m4s",
    "/live/tv/v0/1.m4s%00",
    "/live/tv/v0/%0d%0aX-Evil:%201.m4s",
    "/live/tv%0a/index.mpd",
    "/live/tv/v0/%ff%fe.m4s",
    "/live/tv/v0/%c3%a9.m4s",
    "/live/tv/v0/%ed%a0%80.m4s",
    "/live/tv/v0/%zz.m4s",
    "/live/tv/v0/%.m4s",
    "/live/tv/v0/%d9%a3.m4s",
    "/live//etc/passwd",
    "//etc/passwd",
    "///secret",
    "/live/tv//v0//1.m4s",
    "/live/tv/journal",
    "/live/tv/status.json",
    "/live/tv/v0/",
    "/live/tv/index.ism/../journal",
    "/live/tv/index.ism/QualityLevels(1)/Fragments(video=1)/../../../journal",
    "/live/.metrics/journal",
    "/live/tv/v0/1.m4s;a=b",
    "/live/tv/v0/" + "../" * 60 + "secret",
    "/live/tv/v0/" + "a/" * 2000,
    "/" + "%41" * 2000,
    "/live/tv/v0/" + "9" * 500 + ".m4s",
    "/live/tv/index.ism/QualityLevels(" + "9" * 300 + ")/Fragments(video=1)",
    "/live/tv/index.mpd?" + "x" * 8000,
]


@pytest.mark.parametrize("path", STRANGE)
async def test_no_path_leads_out_of_the_contract(tmp_path: Path, path: str) -> None:
    data = tmp_path / "data"
    made = channel(data)
    for place in (tmp_path, data, data / "tv", data / "tv" / "v0"):
        (place / "secret").write_bytes(SECRET)
        (place / "1.m4s").write_bytes(SECRET)
        (place / "init-00000000.mp4").write_bytes(SECRET)
    async with serving(made) as site:
        (answer,) = await site.raw(request(f"GET {path}"))
    check(answer)
    assert answer.status == 200 if "?" in path else answer.status in (400, 404)
    assert SECRET not in answer.body
    assert b'["header"' not in answer.body
    assert "X-Evil" not in answer.headers


@pytest.mark.parametrize("how", ["%2F", "%74"])
async def test_an_encoded_path_is_the_same_or_nothing(tmp_path: Path, how: str) -> None:
    path = {"%2F": f"/live/tv%2Fv0%2F{FIRST}.m4s", "%74": f"/live/%74v/v0/{FIRST}.m4s"}[how]
    async with serving(channel(tmp_path)) as site:
        (answer,) = await site.raw(request(f"GET {path}"))
    assert answer.status == 404 or answer.body == WHOLE


async def test_the_parentheses_of_smooth_may_be_encoded(tmp_path: Path) -> None:
    made = packager(tmp_path)
    publish(made, a_feed())
    async with serving(made) as site:
        path = fragment_path(made, 0)
        coded = path.replace("(", "%28").replace(")", "%29").replace("=", "%3D")
        assert (await site.ask(coded)).body == (await site.ask(path)).body


@pytest.mark.parametrize(
    "header",
    [
        "Range: bytes=" + "0-1," * 1500,
        "Range: bytes=\xd9\xa0-\xd9\xa3",
        "Range: bytes=" + "9" * 7000 + "-",
        "If-None-Match: " + ", ".join(['"x"'] * 1500),
        "If-None-Match: \xff",
        "If-Modified-Since: " + "1 " * 3000,
        "If-Modified-Since: Thu, 01 Jan 0000 00:00:00 GMT",
        "If-Modified-Since: \xff\xfe",
        "If-Range: \xff",
        "Accept-Encoding: " + "gzip;q=0," * 800,
        "Accept-Encoding: ;;;,,,===",
        "Accept-Encoding: \xff",
        "Cookie: " + "a" * 8000,
        "Origin: null",
        "Expect: a miracle",
    ],
)
async def test_no_header_is_too_strange(tmp_path: Path, header: str) -> None:
    async with serving(channel(tmp_path)) as site:
        for path in (f"/live/tv/v0/{FIRST}.m4s", "/live/tv/index.mpd"):
            (answer,) = await site.raw(request(f"GET {path}", header))
            check(answer)
            assert answer.status in (200, 400)
            if answer.status == 200 and path.endswith("m4s"):
                assert answer.body == WHOLE


REFUSED = {
    "a line that is too long": request("GET /live/tv/" + "x" * 20_000),
    "a header that is too long": request("GET /live/tv/index.mpd", "X: " + "y" * 20_000),
    "headers that are too many": request("GET /live/tv/index.mpd", *["X: y"] * 5000),
    "bytes beyond ASCII": request("GET /live/tv/v0/\xff\xfe.m4s"),
    "an unknown method": request("BREW /live/tv/index.mpd"),
    "a wrong length": request("GET /live/tv/index.mpd", "Content-Length: x"),
    "no host": b"GET /live/tv/index.mpd HTTP/1.1\r\n\r\n",
    "not HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    "options of the server": request("OPTIONS *"),
    "a tunnel": request("CONNECT elsewhere.example:443"),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_what_is_no_request_is_refused_in_words_that_a_cdn_knows(
    tmp_path: Path, name: str
) -> None:
    async with serving(channel(tmp_path)) as site:
        (answer,) = await site.raw(REFUSED[name])
        assert (await site.ask("index.mpd")).status == 200
    assert answer.status in (204, *range(400, 500))
    assert re.fullmatch(r"no-store|public, max-age=\d", answer.one("Cache-Control"))
    assert answer.one("X-Request-ID")
    assert answer.one("Access-Control-Allow-Origin") == "*"
