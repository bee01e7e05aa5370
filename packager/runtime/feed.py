"""A source whose bytes pass through here: who sends it, how it is, and its last seconds."""

import asyncio
from collections import deque
from dataclasses import dataclass, replace

import structlog

from packager.clock import monotonic_micros
from packager.errors import FeedError
from packager.feed.advice import Facts, advice
from packager.feed.backlog import Backlog
from packager.feed.container import Container, Inspector, Report
from packager.feed.inspect import inspector
from packager.feed.preference import loss
from packager.ffmpeg.command import check_copyable
from packager.ffmpeg.probe import SourceInfo
from packager.ffmpeg.selection import Selection, selected
from packager.runtime.eye import Eye
from packager.runtime.ffmpeg_program import probe_bytes
from packager.runtime.inlet import Inlet
from packager.runtime.sources.line import Line
from packager.source import Fed, LossConfig, described
from packager.status import FeedStatus
from packager.ticks import MICROS

_LOOK = MICROS // 3
"""Microseconds of a feed from its first keyframe on that tell what streams it has."""
_AGAIN = MICROS
"""Microseconds until another look where one told nothing."""
_PICTURELESS = 5 * MICROS
"""Microseconds without a keyframe after which that is told."""
_MINUTE = 60 * MICROS
_PENALTY = 10 * MICROS
_DOUBLED = 6


def penalty(times: int) -> int:
    """Microseconds for which a source is not tried again that could not be had so many times.

    Each trial costs the one its place that is on air: so they get fewer, to one in ten minutes.
    """
    return _PENALTY << min(times, _DOUBLED)


@dataclass(frozen=True, slots=True)
class Beginning:
    """What an ffmpeg begins with."""

    container: Container
    info: SourceInfo
    came: int
    """When the first keyframe of it came, in monotonic microseconds."""


class Feed:
    """The feed of one configured source: takes what its line brings."""

    def __init__(
        self, source: Fed, line: Line, config: LossConfig, facts: Facts, program: str
    ) -> None:
        """Look at it with the ffmpeg `program`.

        `config` says when it counts as lost, `facts` what is wanted of it.
        """
        self.name = described(source)
        self.peer = ""
        """Who sends, or sent last."""
        self.connections = 0
        """How many there were."""
        self.is_connected = False
        self.complaint = ""
        """What is or was wrong, in one line."""
        self.newest = 0
        """When its last byte came, in monotonic microseconds."""
        self.healthy_since: int | None = None
        """Since when it has been healthy, as of the last `look`."""
        self.info: SourceInfo | None = None
        """Its streams that are wanted, once known."""
        self._source = source
        self._line = line
        self._config = config
        self._facts = facts
        self._past: deque[tuple[int, Report]] = deque()
        """What was told of this connection in the last minute."""
        self._program = program
        self._container = Container.TS
        self._inspector: Inspector | None = None
        self._revision = 0
        self._backlog = Backlog()
        self._inlet: Inlet | None = None
        self._eye: Eye | None = None
        """Where there is anything to look for that its bytes do not tell."""
        self._probing: asyncio.Task[None] | None = None
        self._look_at = 0
        self._patience = _AGAIN
        """Microseconds until the next look after one that told nothing."""
        self._since = 0
        """When the connection began, in monotonic microseconds."""
        self._is_told = False
        """Of this connection, that there is no picture in it."""
        self._shunned_until = 0
        self._shunned = 0
        """How often in this connection."""
        self._log = structlog.get_logger().bind(source=self.name)

    async def run(self) -> None:
        """Take what the line brings until cancelled."""
        try:
            await self._line.run(self)
        finally:
            self._forget_look()
            self._close_eye()

    # What the line says

    def connected(self, container: Container, peer: str) -> None:
        """See `Taker`."""
        self._container, self.peer = container, peer
        self.connections += 1
        self.is_connected, self.complaint = True, ""
        self.newest = self._since = monotonic_micros()
        self._is_told = False
        self._inspector = inspector(container, self._source.program)
        self._revision = 0
        self._past.clear()
        self._backlog.clear()
        self.info, self._look_at, self._patience = None, 0, _AGAIN
        self._shunned_until = self._shunned = 0
        self._forget_look()
        self._log.info("feed.connected", peer=peer, container=container)

    def received(self, data: bytes) -> None:
        """See `Taker`."""
        if self._inspector is None:
            return
        now = monotonic_micros()
        if loss(now - self.newest, None, None, self._config):
            # It comes late by that: who began before it would trail the clock by as much.
            self._backlog.clear()
        self.newest = now
        pieces = self._inspector.push(data, now)
        if self._inspector.revision != self._revision:
            # What came before belongs to other parameters.
            self._revision = self._inspector.revision
            self._backlog.clear()
            self._look_at, self._patience = 0, _AGAIN
        for piece in pieces:
            self._backlog.add(piece, now)
            if self._inlet is not None:
                self._inlet.write(piece.data)
            if self._eye is not None:
                self._eye.write(piece.data)
        if self._look_at <= now and self._probing is None:
            self._consider_look(now)

    def disconnected(self, reason: str) -> None:
        """See `Taker`."""
        self.is_connected = False
        self.complaint = reason
        self._log.warning("feed.disconnected", peer=self.peer, reason=reason)
        self._close_eye()
        self.detach()

    def trouble(self, problem: str) -> None:
        """See `Taker`."""
        if problem != self.complaint:
            self._log.warning("feed.trouble", problem=problem)
        self.complaint = problem

    # What is in it

    def _consider_look(self, now: int) -> None:
        first = self._backlog.first
        if first is None or now - first < _LOOK or self._inspector is None:
            return
        tail = self._backlog.since(first)
        if tail is not None:
            data = b"".join((self._inspector.prelude, *tail.data))
            self._probing = asyncio.create_task(self._probe(data, self.connections))
        self._look_at = now + 3600 * MICROS

    async def _probe(self, data: bytes, connection: int) -> None:
        found: SourceInfo | None = None
        problem = ""
        try:
            found = await probe_bytes(self._program, self.name, self._container, data)
            source = self._source
            found = selected(found, Selection(source.program, source.video, source.audio))
            if self._facts.copied is not None:
                check_copyable(found)
        except FeedError as error:
            found, problem = None, str(error)
        self._probing = None
        if connection != self.connections:
            return
        if found is None:
            self._look_at = monotonic_micros() + self._patience
            self._patience = min(2 * self._patience, _PENALTY)
            self.trouble(problem)
        elif found != self.info:
            self.info = found
            self._open_eye(found)
            self._log.info(
                "feed.known", video=[v.codec for v in found.video], audio=len(found.audio)
            )

    def _open_eye(self, info: SourceInfo) -> None:
        """Look at the picture and listen to the sound from the newest keyframe on."""
        self._close_eye()
        tail = self._backlog.since(monotonic_micros())
        if tail is None or self._inspector is None or not Eye.is_wanted(self._config):
            return
        streams = info.video[0].index, info.audio[0].index if info.audio else None
        self._eye = Eye(self._config, self._container, streams, self._program)
        for data in (self._inspector.prelude, *tail.data):
            self._eye.write(data)

    def _close_eye(self) -> None:
        if self._eye is not None:
            self._eye.close()
            self._eye = None

    def _forget_look(self) -> None:
        if self._probing is not None:
            self._probing.cancel()
            self._probing = None

    # Who wants it

    def look(self, now: int) -> None:
        """Judge its health at `now`, monotonic microseconds."""
        if not self._is_told and self.is_connected and now - self._since > _PICTURELESS:
            self._is_told = True
            if self._backlog.first is None:
                program = self._source.program
                named = "" if program is None else f" of programme {program}"
                self.trouble(f"no picture{named} has begun after {_PICTURELESS // MICROS} s")
        problem = self._problem(now)
        if problem:
            if self.healthy_since is not None:
                self.complaint = problem
            self.healthy_since = None
        elif self.healthy_since is None:
            self.healthy_since = now
            self.complaint = ""

    def _problem(self, now: int) -> str:
        if not self.is_connected or self._inspector is None:
            return self.complaint or "nobody sends"
        if now < self._shunned_until:
            return self.complaint
        if self.info is None or self._backlog.first is None:
            return self.complaint or "no picture yet"
        still = mute = None
        if self._config.no_video is not None or self._config.silent is not None:
            report = self._inspector.report(now)
            still, mute = _micros(report.still_ms), _micros(report.mute_ms)
        problem = loss(now - self.newest, still, mute, self._config)
        return problem or ("" if self._eye is None else self._eye.sight.problem(now))

    def shun(self, problem: str, connection: int) -> None:
        """What came by a connection could not be packaged: leave that alone for a while."""
        if connection != self.connections:
            return  # another encoder is there, or the same once more
        self.complaint = problem
        self._shunned_until = monotonic_micros() + penalty(self._shunned)
        self._shunned += 1

    def beginning(self, instant: int) -> Beginning | None:
        """What one begins with who wants it from `instant` (monotonic microseconds) on."""
        tail = self._backlog.since(instant)
        if tail is None or self.info is None:
            return None
        return Beginning(self._container, self.info, tail.came)

    def attach(self, inlet: Inlet, came: int) -> None:
        """Send it to `inlet`, from the keyframe on that came then."""
        tail = self._backlog.since(came)
        if tail is None or self._inspector is None or not self.is_connected:
            inlet.end()
            return
        inlet.write(self._inspector.prelude)
        for data in tail.data:
            inlet.write(data)
        self._inlet = inlet

    def detach(self) -> None:
        """Nobody wants it any more."""
        if self._inlet is not None:
            self._inlet.end()
            self._inlet = None

    def status(self, *, active: bool) -> FeedStatus:
        """How it is; to be asked from time to time. `active`: it is on air."""
        now = monotonic_micros()
        report = Report() if self._inspector is None else self._inspector.report(now)
        said = () if not self.is_connected else tuple(advice(report, self._facts_at(now)))
        self._past.append((now, report))
        return FeedStatus(
            name=self.name,
            active=active,
            connected=self.is_connected,
            peer=self.peer,
            reconnects=max(0, self.connections - 1),
            report=report,
            advice=said,
        )

    def _facts_at(self, now: int) -> Facts:
        """What is wanted of it, of which only the last minute counts."""
        while self._past and now - self._past[0][0] > _MINUTE:
            self._past.popleft()
        if not self._past:
            return self._facts
        at, report = self._past[0]
        return replace(self._facts, earlier=report, since=(now - at) // MICROS)


def _micros(millis: int | None) -> int | None:
    return None if millis is None else millis * 1000
