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
from origin.plan import ServeGrowing, Wait
from origin.reply import Reply
from origin.request import may_matter
from origin.runtime.access_log import ERROR, LONGEST_PATH, AccessLog, Entry
from origin.runtime.answers import Answers, Target
from origin.runtime.connection import READ, Connection
from origin.runtime.follow import FollowedChannel
from origin.runtime.headers import Stamps
from origin.runtime.quality import Quality
from origin.runtime.waiting import Asked, Waiting
from origin.shelf import Recent
from origin.wire import Lines
from packager.clock import Clock, monotonic
from packager.ticks import MICROS, UtcMicros

_MEMO = 4096
"""Header lines, and whole requests, that are known again."""
_MEMORABLE = 1024
"""Bytes of the longest head that is known again: hostile ones shall not fill the memory."""
_VERSION = b" HTTP/1.1\r\n"
_BATCH = 64
"""Connections that are served at once."""
_TURN = 0.005
"""Seconds after which somebody else has a turn."""
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
    HELD = auto()
    """It is answered when what it is for is there."""
    ODD = auto()
    """It is for a full parser to say what it is."""


class Known:
    """A request that came before, octet for octet, and asked for no more than an object."""

    __slots__ = ("lines", "ready", "tag", "target", "until", "zipped")

    def __init__(self, target: Target, lines: Lines) -> None:
        """A request that was let in."""
        self.target = target
        self.ready = target.ready
        self.lines = lines
        self.zipped = lines.zipped
        self.tag = lines.tag
        self.until = target.until
        """Until when it is let in."""


class HotPath:
    """Answers plain requests at once."""

    def __init__(
        self, answers: Answers, clock: Clock, stamps: Stamps, log: AccessLog, quality: Quality
    ) -> None:
        """Answer with what `answers` has at hand; note what players say of themselves."""
        self._log = log
        self._quality = quality
        self._due = log.every
        """The number of the answer that is logged next."""
        self.tick = monotonic()
        """Monotonic seconds, at the last batch."""
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
        self.waiting = Waiting(answers, self._give, self._begin_growing)

    def grown(self, channel: FollowedChannel) -> None:
        """The timeline of `channel` is another: answer who waited for that."""
        self._begin()
        self.waiting.grown(channel, self._now)
        self._count()

    def expire(self) -> None:
        """Answer those who have waited for long enough."""
        self._begin()
        self.waiting.expire(self._now)
        self._count()

    def forget(self) -> None:
        """Look at every request anew."""
        self._known = Recent(_MEMO)

    def serve(
        self,
        poll: Callable[[float, int], list[tuple[int, int]]],
        connections: Mapping[int, Connection],
        accept: Callable[[int], None],
    ) -> None:
        """Serve what `poll` finds ready among `connections`; `accept` takes all else."""
        self._begin()
        until = self.tick + _TURN
        while True:
            events = poll(0, _BATCH)
            self._batch(events, connections, accept)
            if not events or monotonic() > until:
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

    def _batch(  # noqa: C901, PLR0912 - calls are what takes time in a loop like this
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
                        and now < known.until
                    ):
                        if known.tag:
                            reply = reply.unchanged if known.tag == reply.etag else None
                        elif reply.piece is not None and reply.is_short:
                            reply = None
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
                            if given >= self._due:
                                self._note(connection, known.target, known.lines, reply, "GET")
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
        bare = head.startswith(b"HEAD ")
        start = 5 if bare else 4
        end = head.find(_VERSION, start)
        if end < 0 or not (bare or head.startswith(b"GET ")):
            return Outcome.ODD
        name = head[start:end]
        lines = self._read_lines(head[end + len(_VERSION) :])
        target = None if lines is None else self._read_target(name)
        if lines is None or target is None:
            return Outcome.ODD
        try:
            reply = self._answers.respond(target, lines, self._now)
        except Exception:  # noqa: BLE001 - who has the time for it says what it was
            reply = None
        if reply is None:
            if not isinstance(target.ready.plan, Wait | ServeGrowing):
                return Outcome.ASK
            is_bland = lines.are_bland and not bare and b"CMCD=" not in name
            self.waiting.hold(
                Asked(connection, target, lines, head, name, bare, monotonic(), is_bland)
            )
            return Outcome.HELD
        self._answer(Asked(connection, target, lines, head, name, bare, self.tick), reply)
        return Outcome.SENT

    def _give(self, asked: Asked, reply: Reply) -> None:
        """Answer a request that was held: ten thousand of them may be let go at once."""
        if not asked.is_bland or reply.piece is not None or self._answers.last:
            self._answer(asked, reply)
            return
        self._given = given = self._given + 1
        end = b"%012x\r\n\r\n" % given
        asked.connection.send(b"".join((reply.head, self._stamp, end, reply.body)))
        self._sent.append(reply)
        if given >= self._due:
            self._note(asked.connection, asked.target, asked.lines, reply, "GET")

    def _answer(self, asked: Asked, reply: Reply) -> None:
        """Send `reply`, as the request wants it; note what is to be noted."""
        connection, target, lines, head, name, bare = asked[:6]
        # What was said to this one alone is not what the next one is told.
        is_kept = reply is (target.ready.zipped if lines.zipped else target.ready.plain)
        if lines.conditions is not None and reply.answer.status == _OK:
            reply = self._conditioned(reply, lines, bare=bare)
        self._send(connection, reply, lines, bare=bare)
        status = reply.answer.status
        if self._log.wants_error() if status >= ERROR else self._given >= self._due:
            self._note(connection, target, lines, reply, "HEAD" if bare else "GET")
        if lines.cmcd is not None or b"CMCD=" in name:
            if status < ERROR:
                query = name.partition(b"?")[2].decode()
                self._quality.note(
                    target.ready.name, target.cdn(lines), query, lines.cmcd or {}, self._now
                )
        elif is_kept and not bare and len(head) <= _MEMORABLE and self._says_no_more(reply, lines):
            self._known.put(head, Known(target, lines))

    def _says_no_more(self, reply: Reply, lines: Lines) -> bool:
        """Whether a request is like any other for the same object, and nothing more to be noted."""
        only_tag = lines.conditions is None or bool(lines.tag)
        named = lines.request_id or lines.trace
        return reply.answer.status < ERROR and only_tag and not (named or self._answers.last)

    def _note(
        self, connection: Connection, target: Target, lines: Lines, reply: Reply, method: str
    ) -> None:
        """Log the answer that was just sent."""
        self._due = self._given + self._log.every
        octets = reply.answer.size if wire.has_body(method, reply.answer.status) else 0
        self._log.note(
            Entry(
                at=self._now,
                method=method,
                path=target.path[:LONGEST_PATH],
                channel=reply.tally.channel,
                kind=reply.tally.kind,
                status=reply.answer.status,
                octets=octets,
                request_id=lines.request_id or f"{self._prefix}{self._given:012x}",
                trace=lines.trace,
                client=connection.client,
                forwarded=lines.forwarded,
                agent=lines.agent,
                seconds=0.0,
            )
        )

    def _begin_growing(self, asked: Asked, reply: Reply) -> bytes:
        """The head of an answer whose body comes piece by piece."""
        head = self._head(reply, asked.lines)
        reply.tally.note(0, monotonic() - asked.since)
        if self._given >= self._due:
            method = "HEAD" if asked.bare else "GET"
            self._note(asked.connection, asked.target, asked.lines, reply, method)
        if self._answers.last:
            asked.connection.closing = True
        return head

    def _head(self, reply: Reply, lines: Lines) -> bytes:
        trace = f"\r\ntraceparent: {lines.trace}" if lines.trace else ""
        last = "\r\nConnection: close" if self._answers.last else ""
        self._given += 1
        if lines.request_id:
            stamp = self._stamp[: -len(self._prefix)]
            end = f"{lines.request_id}{trace}{last}\r\n\r\n".encode()
        else:
            stamp, end = self._stamp, f"{self._given:012x}{trace}{last}\r\n\r\n".encode()
        return b"".join((reply.head, stamp, end))

    def _send(self, connection: Connection, reply: Reply, lines: Lines, *, bare: bool) -> None:
        head = self._head(reply, lines)
        if bare or reply.piece is None:
            connection.send(head if bare else head + reply.body)
        else:
            connection.send_piece(head, reply.piece)
        if bare:
            reply.tally.note_ready(1, 0, 0.0)
        else:
            self._sent.append(reply)
        if self._answers.last:
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
