"""The fuzz targets: each takes any bytes, and fails where a law is broken.

Every input is accepted, or refused with the exception that is documented for that.
"""

import asyncio
import re
import socket
import tempfile
from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import cache
from pathlib import Path
from zlib import crc32

from origin.http import http1
from origin.http.cache_policy import CachePolicy
from origin.http.content_coding import wants_gzip
from origin.http.ranges import Unsatisfiable, parse_range
from origin.runtime.content.responder import Responder
from origin.runtime.journal.follower import FollowedChannel
from origin.runtime.server.connection.connection import Connection
from origin.runtime.server.exchange import Exchange
from origin.runtime.server.fast_path import FastPath, FastPathOutcome
from origin.runtime.server.held_requests import HeldRequests
from origin.runtime.telemetry.access_log import AccessLog
from origin.runtime.telemetry.cmcd_metrics import CmcdMetrics
from origin.urls.request import Manifest, parse
from origin.urls.view import path_of
from packager.errors import JournalError
from packager.journal.format import JournalReader, encode
from packager.rtmp.session import PublishWanted, RtmpMedia, RtmpSession, SendBytes, SessionEnded
from packager.timeline.apply import apply
from packager.timeline.model import Timeline
from packager.timing.clock import ManualClock
from tests.support.channel import a_feed, packager, publish
from tests.support.requests import SEPARATOR, parsed
from tests.support.responses import heads
from tests.support.rtmp import GREETING, ChunkWriter, connecting, opening

_ROOM = 1 << 22
"""Bytes: more than any answer has here."""
_LINE = re.compile(rb"[A-Za-z-]+: [\x20-\x7e]*")
_STATUS = re.compile(rb"HTTP/1\.1 [1-5][0-9]{2} [A-Za-z -]+")


class _Owner:
    """The owner of a connection whose client reads later."""

    tick = 0.0

    def requests(self, connection: Connection, data: bytes) -> None:
        raise AssertionError((connection, data))

    def aiohttp_protocol(self) -> asyncio.Protocol:
        raise AssertionError

    def forget(self, connection: Connection) -> None:
        raise AssertionError(connection)


class _Site:
    """A hot path, and both ends of a connection that it answers on."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="fuzz-")
        data = Path(self._folder.name)
        made = packager(data)
        publish(made, a_feed())
        channel = FollowedChannel("tv", made.folder, Fraction(20), Fraction(3600))
        channel.catch_up()
        clock = ManualClock(made.grid.micros(made.first + 4))
        responder = Responder({"tv": channel}, data, CachePolicy(), _ROOM)
        log = AccessLog("full", lambda _: None)
        exchange = Exchange(responder, clock, log, CmcdMetrics())
        self.hot = FastPath(exchange, HeldRequests(exchange))
        self.hot.begin_batch()
        self.client, server = socket.socketpair()
        for end in (self.client, server):
            end.settimeout(0)
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _ROOM)
        self.connection = Connection(server, "", _Owner())
        self.loop = asyncio.new_event_loop()

    def ask(self, head: bytes) -> tuple[FastPathOutcome, bytes]:
        """The outcome of a request, and the bytes of its response."""
        outcome = self.hot.answer(self.connection, head)
        self.hot.end_batch()
        try:
            return outcome, self.client.recv(_ROOM)
        except BlockingIOError:
            return outcome, b""


@cache
def _site() -> _Site:
    return _Site()


def hot(data: bytes) -> None:
    """A full parser reads the same request as the fast path, which sends one response."""
    site = _site()
    for part in data.split(SEPARATOR)[:-1]:
        head = part + SEPARATOR
        outcome, said = site.ask(head)
        if outcome is not FastPathOutcome.SENT:
            assert not said
            return  # aiohttp reads the rest
        found = parsed(head, site.loop)
        assert found is not None
        (message,), whole = found
        assert whole
        assert not message.should_close
        assert not message.upgrade
        method, target, _ = head.split(b" ", 2)
        assert (message.method, message.path) == (method.decode(), target.decode())
        (answer,) = heads(said, [method == b"HEAD"])
        first, *lines = answer.split(b"\r\n")
        assert _STATUS.fullmatch(first)
        assert all(map(_LINE.fullmatch, lines))
        names = [line.partition(b":")[0].lower() for line in lines]
        assert len(set(names)) == len(names)


def lines(data: bytes) -> None:
    """Header lines that are plain are those that a full parser reads."""
    for length in range(min(len(data), 40)):
        http1.may_become_plain(data[:length])
    block = data.partition(SEPARATOR)[0] + SEPARATOR
    read = http1.read_lines(block)
    if read is None:
        return
    found = parsed(b"GET / HTTP/1.1\r\n" + block, _site().loop)
    assert found is not None
    (message,), _ = found
    assert http1.lines_of({n.lower(): v for n, v in message.headers.items()}) == read


def path(data: bytes) -> None:
    """A path and a query mean something, and a manifest's path means that manifest."""
    target, _, query = data.decode("utf-8", "surrogateescape").partition("?")
    request = parse(target, query)
    if isinstance(request, Manifest):
        again = f"/live/{request.channel}/{path_of(request.view)}{request.file}"
        assert again == target
        assert parse(again, "_HLS_skip=YES" if request.skip else "") == request


def ranges(data: bytes) -> None:
    """A range lies within its body, is ignored, or is refused."""
    size, text = len(data) * 257 % 5000, data.decode("latin-1")
    wants_gzip(text)
    try:
        found = parse_range(text, size)
    except Unsatisfiable:
        return
    if found is not None:
        offset, length = found
        assert 0 <= offset < offset + length <= size


def journal(data: bytes) -> None:
    """Any split of the lines gives the same records or damage; records survive a round trip."""
    whole = b"".join(b"%08x %b\n" % (crc32(body), body) for body in data.split(b"\n"))
    reader, timeline = JournalReader(), Timeline()
    try:
        records = list(reader.feed(whole))
    except JournalError:
        return
    assert reader.damaged or reader.offset == len(whole)
    octets = JournalReader()
    assert [one for octet in whole for one in octets.feed(bytes([octet]))] == records
    assert list(JournalReader().feed(b"".join(map(encode, records)))) == records
    try:
        for record in records:
            timeline = apply(timeline, record)
    except JournalError:
        return


@cache
def _begun() -> tuple[bytes, ...]:
    """The bytes that an encoder sent before."""
    return b"", GREETING, connecting(ChunkWriter()), opening(ChunkWriter(), size=200)


def _heard(parts: list[bytes]) -> tuple[bytes, bytes, list[str]]:
    """The bytes sent to the encoder, its media, and the reasons for the end of the session."""
    session, sent, media, ended = RtmpSession(), b"", b"", list[str]()
    for part in parts:
        events = session.receive(part)
        while events:
            event = events.pop(0)
            assert not ended
            match event:
                case SendBytes(data):
                    sent += data
                case RtmpMedia(data):
                    media += data
                case SessionEnded(reason):
                    ended.append(reason)
                case PublishWanted():
                    assert not events
                    events = session.accept()
    return sent, media, ended


def rtmp(data: bytes) -> None:
    """Any split of a connection's bytes gives the same media in whole tags, or the same end."""
    if len(data) < 2:
        return
    prefix, said = _begun()[data[0] % 4], data[2:]
    heard = _heard([prefix + said])
    place = data[1] * len(said) // 256
    assert heard == _heard([prefix, said[:place], said[place:]])
    assert heard == _heard([prefix, *(bytes([octet]) for octet in said)])
    _, media, ended = heard
    assert all(reason and reason.isprintable() for reason in ended)
    at = 13
    while at < len(media):
        assert media[:3] == b"FLV"
        length = 11 + int.from_bytes(media[at + 1 : at + 4])
        assert media[at] in {8, 9, 18}
        assert int.from_bytes(media[at + length : at + length + 4]) == length
        at += length + 4
    assert not media or at == len(media)


TARGETS: Mapping[str, Callable[[bytes], None]] = {
    "hot": hot,
    "journal": journal,
    "lines": lines,
    "path": path,
    "ranges": ranges,
    "rtmp": rtmp,
}
