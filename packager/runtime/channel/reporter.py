"""Reports the state of one channel: to the log, and to the file that the status page reads."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec
import structlog

from packager.diagnostics.status import ChannelState, ChannelStatus, encode
from packager.feed.advice import FeedRequirements, advice
from packager.feed.report import Report
from packager.ffmpeg.progress import FfmpegMessage, FfmpegWarning
from packager.layout import STATUS
from packager.runtime.telemetry import metrics
from packager.timing.clock import Clock, monotonic
from packager.timing.ticks import MICROS

_MINUTE = 60 * MICROS
_REPEATED_AFTER = 15.0
"""Seconds in which a warning of ffmpeg is logged once."""


class StatusReporter:
    """Reports the state of one channel."""

    def __init__(self, name: str, folder: Path, status: ChannelStatus, clock: Clock) -> None:
        """Begin with `status`, which is not written yet."""
        self.log = structlog.get_logger().bind(channel=name)
        self.status = status
        self._path = folder / STATUS
        self._clock = clock
        self._free_reserve: Callable[[], None] | None = None

    def use_reserve(self, free: Callable[[], None] | None) -> None:
        """Call `free` to make room if the disk is too full for the status; None takes it away."""
        self._free_reserve = free

    def report_problem(self, event: str, problem: str, **fields: str) -> None:
        """Name a problem that stops nothing, in the log and in the next status."""
        self.log.warning(event, problem=problem, **fields)
        self.note(problem=problem)

    def note(self, **changes: object) -> None:
        """Change fields of the status; the next `set_state` writes them."""
        if changes.get("problem"):
            changes["problem_at"] = self._clock.now()
        self.status = msgspec.structs.replace(self.status, **changes)

    def set_state(self, state: ChannelState, **changes: object) -> None:
        """Write the status with this state, and log the state if it is another."""
        if state is not self.status.state:
            changes["since"] = self._clock.now()
            self.log.info("channel.state_changed", state=state)
        self.note(state=state, **changes)
        try:
            self._write()
        except OSError as error:
            # The status page lacks it, but the media is published.
            self.log.warning("status.write_failed", problem=str(error))

    def _write(self) -> None:
        partial = self._path.with_suffix(".partial")
        try:
            partial.write_bytes(encode(self.status))
        except OSError:
            if self._free_reserve is None:
                raise
            # An operator must see the problem of a full disk.
            self._free_reserve()
            partial.write_bytes(encode(self.status))
        partial.replace(self._path)


class FfmpegWarnings:
    """The warnings of one channel's ffmpeg processes: all are counted, repeated ones logged once.

    It serves one run after the other, so that a restart does not repeat the log.
    """

    def __init__(self, channel: str, reporter: StatusReporter) -> None:
        self._channel = channel
        self._reporter = reporter
        self._logged: dict[FfmpegWarning, float] = {}

    def note(self, message: FfmpegMessage) -> None:
        """Take a message of ffmpeg's log; only one that is a warning counts."""
        warning = message.trouble
        if warning is None:
            return
        metrics.FFMPEG_WARNINGS.labels(self._channel, warning).inc()
        now = monotonic()
        if now - self._logged.get(warning, -_REPEATED_AFTER) < _REPEATED_AFTER:
            return
        self._logged[warning] = now
        problem = f"{warning}: {message.text}"
        self._reporter.report_problem("ffmpeg.warned", problem, ffmpeg_level=message.level)


@dataclass(slots=True)
class FeedAdvisor:
    """What a sender should change, judged by the last minute of reports."""

    requirements: FeedRequirements
    reports: deque[tuple[int, Report]] = field(default_factory=deque[tuple[int, Report]])

    def forget(self) -> None:
        """Begin with another connection."""
        self.reports.clear()

    def advise(self, report: Report, now: int) -> tuple[str, ...]:
        """Sentences about `report`, of the instant `now` in monotonic microseconds."""
        while self.reports and now - self.reports[0][0] > _MINUTE:
            self.reports.popleft()
        requirements = self.requirements
        if self.reports:
            at, earlier = self.reports[0]
            requirements = replace(requirements, earlier=earlier, since=(now - at) // MICROS)
        self.reports.append((now, report))
        return tuple(advice(report, requirements))
