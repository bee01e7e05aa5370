"""A source whose bytes pass through this process: its encoder, its health, its last seconds.

    state          event                                             next
    DISCONNECTED   an encoder connects                               CONNECTED
    CONNECTED      its streams are known and a keyframe has arrived  HEALTHY
    HEALTHY        data, video or audio is missing for too long, or
               its content is black, frozen or silent            LOST
    LOST           the problem is over                               HEALTHY
    HEALTHY, LOST  its media could not be packaged                   SHUNNED
    SHUNNED        the time is over                                  HEALTHY or LOST
    any            the connection ends                               DISCONNECTED

`check` decides all of them but the first and the last, which the receiver reports.
"""

from dataclasses import dataclass, field, replace
from enum import Enum

import msgspec
import structlog

from packager.config.sources import Fed, LossConfig, described, source_label
from packager.diagnostics.status import FeedStatus
from packager.feed.advice import FeedRequirements
from packager.feed.failover import loss
from packager.feed.inspect import inspector
from packager.feed.report import Container, Inspector, Report
from packager.ffmpeg.probe import SourceInfo
from packager.ffmpeg.selection import StreamSelection, pid_of, selected
from packager.ffmpeg.tracks import check_copyable
from packager.runtime.channel.reporter import FeedAdvisor
from packager.runtime.ffmpeg.content_monitor import ContentWatch
from packager.runtime.ffmpeg.feed_tap import FeedTap
from packager.runtime.ffmpeg.stdin_pipe import StdinPipe
from packager.runtime.ffmpeg.stream_probe import StreamProbe
from packager.runtime.ingest.receiver import Receiver
from packager.timing.awake_clock import AwakeClock
from packager.timing.backoff import Backoff
from packager.timing.clock import monotonic_micros
from packager.timing.ticks import MICROS

_NO_VIDEO = 5 * MICROS
"""Microseconds without a keyframe after which that is reported."""


def shun_backoff() -> Backoff[int]:
    """The microseconds for which a source is not tried again after it could not be packaged.

    Each trial takes the working source off the air, so trials become rare: one in ten minutes.
    """
    return Backoff(10 * MICROS, 640 * MICROS)


class LiveSourceState(Enum):
    """See the table of this module."""

    DISCONNECTED = "disconnected"
    CONNECTED = "connected"
    HEALTHY = "healthy"
    LOST = "lost"
    SHUNNED = "shunned"


@dataclass(frozen=True, slots=True)
class RunStart:
    """Where a run of ffmpeg begins in a feed."""

    container: Container
    info: SourceInfo
    arrived_at: int
    """When its first keyframe arrived, in monotonic microseconds."""
    frame_step: int
    """Microseconds from a frame to the next; 0 if unknown."""


@dataclass(slots=True)
class _Connection:
    """One connection of an encoder."""

    number: int
    container: Container
    peer: str
    inspector: Inspector
    began: int
    """Monotonic microseconds."""
    revision: int = 0
    """Of the stream parameters."""
    absent: frozenset[int] = frozenset()
    """The PIDs that were left out since they had sent nothing."""
    changes: int = 0
    """How often its streams or their parameters have changed."""
    changed_at: int | None = None
    """When they changed, in monotonic microseconds; None once the new ones are known."""
    is_without_video: bool = False
    """No keyframe arrived in time, which was reported."""
    shunned_until: int = 0
    shuns: Backoff[int] = field(default_factory=shun_backoff)


class LiveSource:
    """The feed of one configured source: takes the bytes of its receiver."""

    def __init__(
        self,
        source: Fed,
        receiver: Receiver,
        config: LossConfig,
        requirements: FeedRequirements,
        program: str,
        channel: str,
    ) -> None:
        """Inspect the feed of `channel` with the ffmpeg `program`.

        `config` has the limits for a loss.
        """
        self.state = LiveSourceState.DISCONNECTED
        self.complaint = ""
        """The current or last problem, in one line."""
        self.healthy_since: int | None = None
        """Since when it is healthy, as of the last `check`, in monotonic microseconds."""
        self.info: SourceInfo | None = None
        """Its selected streams, once they are known."""
        self._awake = AwakeClock(monotonic_micros())
        self._heard = 0
        """When its last byte arrived, by `_awake`."""
        self._source = source
        self._receiver = receiver
        self._config = config
        self._advisor = FeedAdvisor(requirements)
        self._connection: _Connection | None = None
        self._tap = FeedTap()
        self._content = ContentWatch(config, program)
        self._probe = StreamProbe(
            program, described(source), self._use_streams, self.problem_reported
        )
        self._log = structlog.get_logger().bind(channel=channel, source=self.name)

    @property
    def name(self) -> str:
        """The source in words."""
        return described(self._source)

    @property
    def connections(self) -> int:
        """How many connections there were; the number of the newest."""
        return 0 if self._connection is None else self._connection.number

    @property
    def changes(self) -> int:
        """How often streams of its connection, or their parameters, have changed."""
        return 0 if self._connection is None else self._connection.changes

    @property
    def _requirements(self) -> FeedRequirements:
        """The requirements of the channel's ladder."""
        return self._advisor.requirements

    @property
    def is_connected(self) -> bool:
        """Whether an encoder is connected."""
        return self.state is not LiveSourceState.DISCONNECTED

    async def run(self) -> None:
        """Take what the receiver brings until cancelled."""
        try:
            await self._receiver.run(self)
        finally:
            self._probe.cancel()
            self._content.close()

    # Called by the receiver: see `FeedSink`

    def connected(self, container: Container, peer: str) -> None:
        """An encoder begins to send."""
        now = monotonic_micros()
        self.state, self.complaint = LiveSourceState.CONNECTED, ""
        self.info = None
        self._heard = self._awake.read(now)
        looking = inspector(container, self._source.program, pid_of(self._source.video))
        self._connection = _Connection(self.connections + 1, container, peer, looking, now)
        self._advisor.forget()
        self._tap.backlog.clear()
        self._probe.cancel()
        self._probe.restart()
        self._log.info("feed.connected", peer=peer, container=container)

    def received(self, data: bytes) -> None:
        """Bytes have arrived."""
        connection = self._connection
        if connection is None:
            return
        now = monotonic_micros()
        if loss(self._silent(now), None, None, self._config):
            # Media after such a pause is late by it; a run that began before would stay as late.
            self._tap.backlog.clear()
        self._heard = self._awake.read(now)
        looking = connection.inspector
        pieces = looking.push(data, now)
        if looking.revision != connection.revision:
            # The bytes before have other parameters.
            connection.revision = looking.revision
            self._tap.backlog.clear()
            self._probe.restart()
        for piece in pieces:
            if piece.discontinuity:
                self._streams_changed(connection, now)
            self._tap.add(piece, now)
            self._content.write(piece.data)
        if connection.absent and connection.absent - looking.absent:
            connection.absent = looking.absent
            self._probe.restart()
        self._probe.consider(connection.container, looking, self._tap.backlog, now)

    def _streams_changed(self, connection: _Connection, now: int) -> None:
        """Other streams, or other parameters, begin with the next bytes."""
        self._tap.backlog.clear()
        self._probe.restart()
        if self.info is None:
            return
        connection.changes += 1
        connection.changed_at = now
        if self._requirements.may_copy:
            # ffmpeg would send it on with the old init section.
            self._tap.detach()

    def disconnected(self, reason: str) -> None:
        """The connection has ended."""
        self.state, self.complaint = LiveSourceState.DISCONNECTED, reason
        peer = "" if self._connection is None else self._connection.peer
        self._log.warning("feed.disconnected", peer=peer, reason=reason)
        self._content.close()
        self.detach()

    def problem_reported(self, problem: str) -> None:
        """The receiver or the probe has a problem."""
        if problem != self.complaint:
            self._log.warning("feed.problem_reported", problem=problem)
        self.complaint = problem

    # Streams

    def _use_streams(self, found: SourceInfo) -> None:
        """Raises FeedError if `found` lacks the selected streams, or they cannot be copied."""
        source, connection = self._source, self._connection
        info = selected(found, StreamSelection(source.program, source.video, source.audio))
        if connection is not None:
            connection.absent = connection.inspector.absent
            present = (audio for audio in info.audio if audio.pid not in connection.absent)
            info = replace(info, audio=tuple(present))
        if self._requirements.needs_copyable_video:
            check_copyable(info)
        if connection is not None:
            connection.changed_at = None
        if info == self.info:
            return
        self.info = info
        tail = self._tap.backlog.since(monotonic_micros())
        self._content.close()
        if tail is not None and connection is not None:
            beginning = (connection.inspector.prelude, *tail.data)
            self._content.open(connection.container, info, beginning)
        self._log.info(
            "feed.streams_found", video=[v.codec for v in info.video], audio=len(info.audio)
        )

    # Health

    def _silent(self, now: int) -> int:
        """Microseconds without a byte, while this process ran."""
        return self._awake.read(now) - self._heard

    def tick(self) -> None:
        """Note that this process runs; call it every 50 ms."""
        self._awake.read(monotonic_micros())

    def check(self, now: int) -> None:
        """Judge the health at `now`, monotonic microseconds."""
        self._report_missing_video(now)
        self.state, problem = self._judge(now)
        if self.state is not LiveSourceState.HEALTHY:
            if self.healthy_since is not None:
                self.complaint = problem
            self.healthy_since = None
        elif self.healthy_since is None:
            self.healthy_since = now
            self.complaint = ""

    def _report_missing_video(self, now: int) -> None:
        connection = self._connection
        if connection is None or not self.is_connected or connection.is_without_video:
            return
        if now - connection.began > _NO_VIDEO:
            connection.is_without_video = True
            if self._tap.backlog.first is None:
                program = self._source.program
                of_program = "" if program is None else f" of program {program}"
                self.problem_reported(
                    f"no video keyframe{of_program} within {_NO_VIDEO // MICROS} s"
                )

    def _judge(self, now: int) -> tuple[LiveSourceState, str]:
        """The state and the problem at `now`."""
        connection = self._connection
        if connection is None or not self.is_connected:
            return LiveSourceState.DISCONNECTED, self.complaint or "no encoder is connected"
        if now < connection.shunned_until:
            return LiveSourceState.SHUNNED, self.complaint
        if self.info is None or not self._is_startable(connection, now):
            return LiveSourceState.CONNECTED, self.complaint or "no video yet"
        since_video = since_audio = None
        if self._config.no_video is not None or self._config.silent is not None:
            report = connection.inspector.report(now)
            ages = (report.still_ms, report.mute_ms)
            since_video, since_audio = (None if age is None else age * 1000 for age in ages)
        problem = loss(self._silent(now), since_video, since_audio, self._config)
        problem = problem or self._content.problem(now)
        return LiveSourceState.LOST if problem else LiveSourceState.HEALTHY, problem

    def _is_startable(self, connection: _Connection, now: int) -> bool:
        """Whether a run can begin, or can soon, since streams have only just changed."""
        if connection.changed_at is not None:
            return now - connection.changed_at < _NO_VIDEO
        return self._tap.backlog.first is not None

    def shun(self, problem: str, connection: int) -> None:
        """Count a connection as unhealthy for a while: its media could not be packaged."""
        current = self._connection
        if current is None or connection != current.number:
            return  # a newer connection has replaced it
        self.complaint = problem
        current.shunned_until = monotonic_micros() + current.shuns.step()

    # On air

    def start_at(self, instant: int) -> RunStart | None:
        """Where a run begins that is to show media from `instant` (monotonic microseconds) on."""
        tail = self._tap.backlog.since(instant)
        if tail is None or self.info is None or self._connection is None:
            return None
        if self._connection.changed_at is not None:
            return None
        step = self._connection.inspector.frame_step or 0
        return RunStart(self._connection.container, self.info, tail.arrived_at, step)

    def attach(self, stdin: StdinPipe, arrived_at: int) -> bool:
        """Send the feed to `stdin`, from the keyframe on that arrived then.

        False if that is no longer possible: `stdin` is at its end.
        """
        if self._connection is None or not self.is_connected:
            stdin.end()
            return False
        return self._tap.attach(stdin, self._connection.inspector.prelude, arrived_at)

    def detach(self) -> None:
        """Send the feed to ffmpeg no more; ffmpeg reads the end of its input."""
        self._tap.detach()

    def status(self, index: int, *, active: bool) -> FeedStatus:
        """The status of the channel's source `index`; `active` if it is on air.

        Call it from time to time: the advice is about the minute before.
        """
        now, connection = monotonic_micros(), self._connection
        report = Report() if connection is None else connection.inspector.report(now)
        interlaced = self.info is not None and self.info.is_interlaced
        report = msgspec.structs.replace(report, interlaced=interlaced)
        advised = self._advisor.advise(report, now)
        return FeedStatus(
            name=self.name,
            label=source_label(index, self.name),
            active=active,
            connected=self.is_connected,
            peer="" if connection is None else connection.peer,
            reconnects=max(0, self.connections - 1),
            report=report,
            advice=advised if self.is_connected else (),
        )
