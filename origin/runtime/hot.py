"""The hot path: requests that are plain, answered from their bytes with what is at hand.

What it does not answer goes to aiohttp, which then says the same, octet for octet but for the date
and the request's id.

`HotPath.serve` is the innermost loop of an origin, and written for that: a request that came before
octet for octet, for something that is still right, costs one look-up and two calls of the kernel.
Whatever is a little different takes `Connection.took` and `HotPath.answer`, which do the same in
steps with names.
"""

import select
from collections import Counter
from collections.abc import Callable, Mapping
from email.utils import formatdate
from enum import IntEnum, auto

import structlog

from origin import wire
from origin.answer import conditioned
from origin.reply import Reply
from origin.request import may_matter
from origin.runtime.answers import Answers, Ready, Target
from origin.runtime.connection import READ, Connection
from origin.runtime.headers import Stamps
from origin.shelf import Recent
from origin.wire import Lines
from packager.clock import Clock, monotonic
from packager.ticks import MICROS, UtcMicros

_MEMO = 4096
"""Header lines, and whole requests, that are known again."""
_MEMORABLE = 2048
"""Bytes of the longest head that is known again: hostile ones shall not fill the memory."""
_VERSION = b" HTTP/1.1\r\n"
_BATCH = 256
"""Connections that are served at once."""
_ROUNDS = 8
"""Batches that are served before anybody else has a turn."""
_FEW = 4
"""Connections that are so few that others may have their turn."""
_CAME = select.EPOLLIN | select.EPOLLOUT
"""Bytes have come, and nothing else is the matter."""
_OK = 200
_log = structlog.get_logger()


class Outcome(IntEnum):
    """What became of a request."""

    SENT = auto()
    """It is answered."""
    ASK = auto()
    """It is plain, but the answer takes time."""
    ODD = auto()
    """It is for a full parser to say what it is."""


class Known:
    """A request that came before, octet for octet, and asked for no more than an object."""

    __slots__ = ("ready", "tag", "zipped")

    def __init__(self, ready: Ready, lines: Lines) -> None:
        self.ready = ready
        self.zipped = lines.zipped
        self.tag = lines.tag


class HotPath:
    """Answers plain requests at once."""

    def __init__(self, answers: Answers, clock: Clock, stamps: Stamps) -> None:
        """Answer with what `answers` has at hand."""
        self.tick = monotonic()
        """Monotonic seconds, at the last batch."""
        self._last = False
        self._answers = answers
        self._clock = clock
        self._targets = answers.targets
        self._blocks: Recent[bytes, Lines] = Recent(_MEMO)
        self._known: Recent[bytes, Known] = Recent(_MEMO)
        self._now = UtcMicros(0)
        self._second = -1
        self._stamp = b""
        """The date, and the first part of the ids that are made here."""
        self._prefix = stamps.family()
        self._given = 0
        self._sent: list[Reply] = []
        """Since the last count."""

    def let_go(self) -> None:
        """From now on every answer is the last of its connection."""
        self._last = True
        self._known = Recent(_MEMO)

    def serve(
        self,
        poll: Callable[[float, int], list[tuple[int, int]]],
        connections: Mapping[int, Connection],
        accept: Callable[[int], None],
    ) -> None:
        """Serve what `poll` finds ready among `connections`; `accept` takes all else."""
        self._begin()
        for _ in range(_ROUNDS):
            events = poll(0, _BATCH)
            self._batch(events, connections, accept)
            if len(events) < _FEW:
                break
        self._count()

    def _begin(self) -> None:
        """Read the clocks, once for all that is served now."""
        self.tick = monotonic()
        self._now = now = self._clock.now()
        if (second := now // MICROS) != self._second:
            self._second = second
            date = formatdate(second, usegmt=True)
            self._stamp = f"Date: {date}\r\nX-Request-ID: {self._prefix}".encode()

    def _batch(
        self,
        events: list[tuple[int, int]],
        connections: Mapping[int, Connection],
        accept: Callable[[int], None],
    ) -> None:
        tick, now, stamp, note = self.tick, self._now, self._stamp, self._sent.append
        for descriptor, event in events:
            connection = connections.get(descriptor)
            if connection is None:
                accept(descriptor)
                continue
            try:
                if event != _CAME or not connection.idle:
                    connection.ready(event)
                    continue
                try:
                    data = connection.recv(READ)
                except (BlockingIOError, InterruptedError):
                    continue
                known = self._known.newest.get(data)
                if known is not None:
                    ready = known.ready
                    reply = ready.zipped if known.zipped else ready.plain
                    if (
                        reply is not None
                        and ready.timeline is ready.channel.timeline
                        and now < ready.until
                    ):
                        if known.tag:
                            reply = reply.unchanged if known.tag == reply.etag else None
                        if reply is not None:
                            self._given = given = self._given + 1
                            ready.used = True
                            connection.since = tick
                            end = b"%012x\r\n\r\n" % given
                            if reply.piece is None:
                                connection.send(b"".join((reply.head, stamp, end, reply.body)))
                            else:
                                connection.send_piece(
                                    b"".join((reply.head, stamp, end)), reply.piece
                                )
                            note(reply)
                            continue
                connection.took(data)
            except Exception:  # noqa: BLE001
                # The others of the batch would not be told of again.
                _log.exception("connection.crashed")
                connection.abort()

    def _count(self) -> None:
        """Count what was sent."""
        if not self._sent:
            return
        seconds = monotonic() - self.tick
        for reply, count in Counter(self._sent).items():
            reply.tally.note_ready(count, reply.answer.size, seconds)
        self._sent.clear()

    def answer(self, connection: Connection, head: bytes) -> Outcome:
        """Answer the request with this head if that can be done at once."""
        if head.startswith(b"GET "):
            start, bare = 4, False
        elif head.startswith(b"HEAD "):
            start, bare = 5, True
        else:
            return Outcome.ODD
        end = head.find(_VERSION, start)
        if end < 0:
            return Outcome.ODD
        lines = self._read_lines(head[end + len(_VERSION) :])
        target = None if lines is None else self._read_target(head[start:end])
        if lines is None or target is None:
            return Outcome.ODD
        ready = target.ready
        reply = self._answers.at_hand(ready, self._now, zipped=lines.zipped)
        if reply is None:
            return Outcome.ASK
        if lines.conditions is not None and reply.answer.status == _OK:
            reply = self._conditioned(reply, lines, bare=bare)
        self._send(connection, reply, lines, bare=bare)
        if not (bare or self._last or len(head) > _MEMORABLE) and _says_no_more(lines):
            self._known.put(head, Known(ready, lines))
        return Outcome.SENT

    def _send(self, connection: Connection, reply: Reply, lines: Lines, *, bare: bool) -> None:
        trace = f"\r\ntraceparent: {lines.trace}" if lines.trace else ""
        last = "\r\nConnection: close" if self._last else ""
        self._given += 1
        if lines.request_id:
            stamp = self._stamp[: -len(self._prefix)]
            end = f"{lines.request_id}{trace}{last}\r\n\r\n".encode()
        else:
            stamp, end = self._stamp, f"{self._given:012x}{trace}{last}\r\n\r\n".encode()
        if bare or reply.piece is None:
            body = b"" if bare else reply.body
            connection.send(b"".join((reply.head, stamp, end, body)))
        else:
            connection.send_piece(b"".join((reply.head, stamp, end)), reply.piece)
        if bare:
            reply.tally.note_ready(1, 0, 0.0)
        else:
            self._sent.append(reply)
        if self._last:
            connection.close()

    def _conditioned(self, reply: Reply, lines: Lines, *, bare: bool) -> Reply:
        """`reply` as the conditions and the range of a request want it."""
        same = bool(lines.tag) and lines.tag == reply.etag
        if same and reply.unchanged is not None:
            return reply.unchanged
        refused = self._answers.refused
        method = "HEAD" if bare else "GET"
        answer = conditioned(reply.answer, method, lines.conditions or {}, refused)
        if answer is reply.answer:
            return reply
        tally = self._answers.tallies.of(reply.tally.channel, reply.tally.kind, answer.status)
        made = Reply(answer, tally)
        if same:
            reply.unchanged = made
        return made

    def _read_lines(self, block: bytes) -> Lines | None:
        if (lines := self._blocks.find(block)) is None:
            lines = wire.read_lines(block)
            if lines is not None and len(block) <= _MEMORABLE:
                self._blocks.put(block, lines)
        return lines

    def _read_target(self, name: bytes) -> Target | None:
        """What a target means; None where it is not plain.

        A query that changes nothing is not remembered: each viewer has others.
        """
        if (target := self._targets.find(name)) is not None:
            return target
        if not wire.is_plain_target(name):
            return None
        path, mark, query = name.partition(b"?")
        if mark and not may_matter(query):
            return self._read_target(path)
        target = self._answers.target(path.decode(), query.decode())
        if len(name) <= _MEMORABLE:
            self._targets.put(name, target)
        return target


def _says_no_more(lines: Lines) -> bool:
    """Whether a request is like any other for the same object."""
    only_tag = lines.conditions is None or bool(lines.tag)
    return only_tag and not (lines.request_id or lines.trace)
