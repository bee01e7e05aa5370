"""What is fuzzed: each target takes any bytes, and fails where a law is broken.

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

from origin import wire
from origin.caching import Policy
from origin.encoding import wants_gzip
from origin.ranges import Unsatisfiable, parse_range
from origin.request import Manifest, parse
from origin.runtime.access_log import AccessLog
from origin.runtime.answers import Answers
from origin.runtime.connection import Connection
from origin.runtime.follow import FollowedChannel
from origin.runtime.headers import Stamps
from origin.runtime.hot import HotPath, Outcome
from origin.runtime.quality import Quality
from origin.view import path_of
from packager.clock import ManualClock
from packager.errors import JournalError
from packager.fold import apply
from packager.journal import Reader, encode
from packager.rtmp.session import Ended, Media, PublishWanted, Send, Session
from packager.timeline import Timeline
from tests.support.answers import heads
from tests.support.channel import a_feed, packager, publish
from tests.support.requests import SEPARATOR, parsed
from tests.support.rtmp import GREETING, ChunkWriter, connecting, opening

_ROOM = 1 << 22
"""Bytes: more than any answer has here."""
_LINE = re.compile(rb"[A-Za-z-]+: [\x20-\x7e]*")
_STATUS = re.compile(rb"HTTP/1\.1 [1-5][0-9]{2} [A-Za-z -]+")


class _Owner:
    """Who looks after a connection of which nobody reads."""

    tick = 0.0

    def requests(self, connection: Connection, data: bytes) -> None:
        raise AssertionError((connection, data))

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
        answers = Answers({"tv": channel}, data, Policy(), clock, _ROOM)
        self.hot = HotPath(
            answers, clock, Stamps(clock), AccessLog("full", lambda _: None), Quality()
        )
        self.hot._begin()
        self.client, server = socket.socketpair()
        for end in (self.client, server):
            end.settimeout(0)
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _ROOM)
        self.connection = Connection(server, "", _Owner())
        self.loop = asyncio.new_event_loop()

    def ask(self, head: bytes) -> tuple[Outcome, bytes]:
        """What becomes of a request, and what is said to it."""
        outcome = self.hot.answer(self.connection, head)
        self.hot._count()
        try:
            return outcome, self.client.recv(_ROOM)
        except BlockingIOError:
            return outcome, b""


@cache
def _site() -> _Site:
    return _Site()


def hot(data: bytes) -> None:
    """What is answered at once is what a full parser reads, and the answer is one."""
    site = _site()
    for part in data.split(SEPARATOR)[:-1]:
        head = part + SEPARATOR
        outcome, said = site.ask(head)
        if outcome is not Outcome.SENT:
            assert not said
            return  # what follows is aiohttp's to read
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
        wire.may_become_plain(data[:length])
    block = data.partition(SEPARATOR)[0] + SEPARATOR
    read = wire.read_lines(block)
    if read is None:
        return
    found = parsed(b"GET / HTTP/1.1\r\n" + block, _site().loop)
    assert found is not None
    (message,), _ = found
    assert wire.lines_of({n.lower(): v for n, v in message.headers.items()}) == read


def path(data: bytes) -> None:
    """A path and a query mean something, and a manifest's path means that manifest."""
    target, _, query = data.decode("utf-8", "surrogateescape").partition("?")
    request = parse(target, query)
    if isinstance(request, Manifest):
        again = f"/live/{request.channel}/{path_of(request.view)}{request.file}"
        assert again == target
        assert parse(again, "_HLS_skip=YES" if request.skip else "") == request


def ranges(data: bytes) -> None:
    """A range lies within its body, or is none, or is outside."""
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
    """Lines are records or damage, however they come; what was read can be written and read."""
    whole = b"".join(b"%08x %b\n" % (crc32(body), body) for body in data.split(b"\n"))
    reader, timeline = Reader(), Timeline()
    try:
        records = list(reader.feed(whole))
    except JournalError:
        return
    assert reader.damaged or reader.offset == len(whole)
    octets = Reader()
    assert [one for octet in whole for one in octets.feed(bytes([octet]))] == records
    assert list(Reader().feed(b"".join(map(encode, records)))) == records
    try:
        for record in records:
            timeline = apply(timeline, record)
    except JournalError:
        return


@cache
def _begun() -> tuple[bytes, ...]:
    """What an encoder has said before."""
    return b"", GREETING, connecting(ChunkWriter()), opening(ChunkWriter(), size=200)


def _heard(parts: list[bytes]) -> tuple[bytes, bytes, list[str]]:
    """What is said to an encoder that says this, the media that it brings, and why it ended."""
    session, sent, media, ended = Session(), b"", b"", list[str]()
    for part in parts:
        events = session.receive(part)
        while events:
            event = events.pop(0)
            assert not ended
            match event:
                case Send(data):
                    sent += data
                case Media(data):
                    media += data
                case Ended(reason):
                    ended.append(reason)
                case PublishWanted():
                    assert not events
                    events = session.accept()
    return sent, media, ended


def rtmp(data: bytes) -> None:
    """However a connection's bytes come, the same comes of them: media in whole tags, or an end."""
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
