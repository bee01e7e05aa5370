"""Counts and logs each response, and notes what its player reports: for both lanes."""

from collections import Counter

from origin.caching.counters import ChannelCounters
from origin.caching.prepared import PreparedResponse
from origin.http import http1
from origin.runtime.server.headers import ResponseStamps
from origin.runtime.server.parsing import ParsedRequest
from origin.runtime.telemetry.access_log import ERROR, LONGEST_PATH, AccessLog, LogEntry
from origin.runtime.telemetry.cmcd_metrics import CmcdMetrics
from packager.timing.ticks import UtcMicros


class Accounting:
    """The only place where responses of the public port are counted and logged."""

    def __init__(
        self,
        counters: ChannelCounters,
        stamps: ResponseStamps,
        log: AccessLog,
        cmcd: CmcdMetrics,
    ) -> None:
        self._counters = counters
        self._stamps = stamps
        self._log = log
        self._cmcd = cmcd
        self._batch: list[PreparedResponse] = []
        self.every = log.every
        """A response whose number is a multiple of this is logged."""
        self.count_in_batch = self._batch.append
        """Counts the response to a GET with those that `count_batch` will count."""

    def account(
        self,
        request: ParsedRequest,
        response: PreparedResponse,
        number: int,
        now: UtcMicros,
        seconds: float | None = None,
    ) -> None:
        """Account for one response.

        Args:
            request: the request.
            response: the response to it; of a growing segment, without its bytes.
            number: the response's number.
            now: the time of the response.
            seconds: from the request to the first byte; None for a response from the cache, which
                is counted with its batch.
        """
        if seconds is not None:
            size = self._size(request, response)
            response.counters.count(size, seconds)
        elif request.method == "GET":
            self._batch.append(response)
        else:
            response.counters.count_cached(1, 0, 0.0)
        if response.status >= ERROR:
            is_logged = self._log.wants_error()
        else:
            is_logged = not number % self.every
            if request.cmcd_query or request.lines.cmcd:
                self._note_cmcd(request, now)
        if is_logged:
            self.log(request, response, number, now, seconds or 0.0)

    def count_batch(self, seconds: float) -> None:
        """Count the responses since the last call; none took longer than `seconds`."""
        if not self._batch:
            return
        for response, count in Counter(self._batch).items():
            response.counters.count_cached(count, response.response.size, seconds)
        self._batch.clear()

    def log(
        self,
        request: ParsedRequest,
        response: PreparedResponse,
        number: int,
        now: UtcMicros,
        seconds: float = 0.0,
    ) -> None:
        """Add a line to the access log."""
        lines = request.lines
        self._log.note(
            LogEntry(
                at=now,
                method=request.method,
                path=request.target.path[:LONGEST_PATH],
                channel=response.counters.channel,
                kind=response.counters.kind,
                status=response.status,
                octets=self._size(request, response),
                request_id=self._stamps.request_id(lines, number),
                trace=lines.trace,
                client=request.client,
                forwarded=lines.forwarded,
                agent=lines.agent,
                seconds=round(seconds, 6),
            )
        )

    def account_malformed(self, status: int, request_id: str, client: str, now: UtcMicros) -> None:
        """Account for the response to bytes that are not a request."""
        self._counters.of("", "none", status).count(0, 0.0)
        if self._log.wants_error():
            self._log.note(
                LogEntry(now, "", "", "", "none", status, 0, request_id, "", client, "", "", 0.0)
            )

    def _note_cmcd(self, request: ParsedRequest, now: UtcMicros) -> None:
        target, lines = request.target, request.lines
        channel, cdn = target.answer.channel_name, target.cdn(lines)
        self._cmcd.note(channel, cdn, request.cmcd_query, lines.cmcd or {}, now)

    def _size(self, request: ParsedRequest, response: PreparedResponse) -> int:
        has_body = http1.has_body(request.method, response.status)
        return response.response.size if has_body else 0
