"""The hot path: requests that are plain, answered from their bytes with what is at hand.

What it does not answer goes to aiohttp, which then says the same, octet for octet but for the date
and the request's id.
"""

from email.utils import formatdate
from enum import IntEnum, auto

from origin import wire
from origin.answer import conditioned
from origin.reply import Reply
from origin.runtime.answers import Answers, Target
from origin.runtime.connection import Connection
from origin.runtime.headers import Stamps
from origin.shelf import Recent
from origin.tally import Tally
from origin.wire import Lines
from packager.clock import Clock, monotonic
from packager.ticks import MICROS, UtcMicros

_BLOCKS = 4096
_VERSION = b" HTTP/1.1\r\n"


class Outcome(IntEnum):
    """What became of a request."""

    SENT = auto()
    """It is answered."""
    ASK = auto()
    """It is plain, but the answer takes time."""
    ODD = auto()
    """It is for a full parser to say what it is."""


class HotPath:
    """Answers plain requests at once."""

    def __init__(self, answers: Answers, clock: Clock, stamps: Stamps) -> None:
        self.last = False
        """Every answer is the last of its connection."""
        self._answers = answers
        self._clock = clock
        self._stamps = stamps
        self._targets = answers.targets
        self._blocks: Recent[bytes, Lines] = Recent(_BLOCKS)
        self._now = UtcMicros(0)
        self._second = -1
        self._date = b""
        self._began = 0.0
        self._touched: list[Tally] = []

    def begin(self) -> None:
        """A batch of requests comes: read the clocks once for all of them."""
        self._began = monotonic()
        self._now = now = self._clock.now()
        if (second := now // MICROS) != self._second:
            self._second = second
            self._date = f"Date: {formatdate(second, usegmt=True)}\r\nX-Request-ID: ".encode()

    def end(self) -> None:
        """Count the batch."""
        if self._touched:
            seconds = monotonic() - self._began
            for tally in self._touched:
                tally.note_batch(seconds)
            self._touched.clear()

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
        block = head[end + 11 :]
        lines = self._blocks.newest.get(block) or self._read_lines(block)
        if lines is None:
            return Outcome.ODD
        name = head[start:end]
        target = self._targets.newest.get(name) or self._read_target(name)
        if target is None:
            return Outcome.ODD
        ready = target.ready
        zipped = lines.zipped
        # What is right, at hand and wanted as it is: nearly all that is ever asked for.
        reply = ready.zipped if zipped else ready.plain
        if (
            reply is None
            or ready.timeline is not ready.channel.timeline
            or self._now >= ready.until
        ):
            reply = self._answers.at_hand(ready, self._now, zipped=zipped)
            if reply is None:
                return Outcome.ASK
        else:
            ready.used = True
        if lines.conditions is not None and reply.answer.status == 200:  # noqa: PLR2004
            reply = self._conditioned(reply, lines, bare=bare)
        body = b"" if bare else reply.body
        connection.send(b"%b%b%b" % (reply.head, self._date, self._named(lines)), body)
        tally = reply.tally
        if not tally.batch:
            self._touched.append(tally)
        tally.batch += 1
        tally.octets += len(body)
        if self.last:
            connection.close()
        return Outcome.SENT

    def _named(self, lines: Lines) -> bytes:
        """The rest of a head: the request's id, and what follows it."""
        name = lines.request_id or self._stamps.name()
        trace = f"\r\ntraceparent: {lines.trace}" if lines.trace else ""
        last = "\r\nConnection: close" if self.last else ""
        return f"{name}{trace}{last}\r\n\r\n".encode()

    def _conditioned(self, reply: Reply, lines: Lines, *, bare: bool) -> Reply:
        """`reply` as the conditions and the range of a request want it."""
        if lines.tag and lines.tag == reply.etag and reply.unchanged is not None:
            return reply.unchanged
        refused = self._answers.refused
        method = "HEAD" if bare else "GET"
        answer = conditioned(reply.answer, method, lines.conditions or {}, refused)
        if answer is reply.answer:
            return reply
        tally = self._answers.tallies.of(reply.tally.channel, reply.tally.kind, answer.status)
        made = Reply(answer, tally)
        if lines.tag and lines.tag == reply.etag:
            reply.unchanged = made
        return made

    def _read_lines(self, block: bytes) -> Lines | None:
        if (lines := self._blocks.find(block)) is None:
            lines = wire.read_lines(block)
            if lines is not None:
                self._blocks.put(block, lines)
        return lines

    def _read_target(self, name: bytes) -> Target | None:
        if (target := self._targets.find(name)) is None and wire.is_plain_target(name):
            path, _, query = name.decode().partition("?")
            target = self._answers.target(path, query)
            self._targets.put(name, target)
        return target
