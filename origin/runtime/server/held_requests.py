"""Requests that wait for the timeline to grow, without a task or a timer each.

All requests for one object are one row. A row is looked at when its channel's timeline has grown,
and ten times a second for the requests whose time is up.
"""

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterable, Iterator

from origin.caching.prepared import PreparedResponse
from origin.decision.plan import Plan, ServeGrowing, Wait
from origin.runtime.content.cached_answer import CachedAnswer
from origin.runtime.content.outcome import Hold, Outcome, ReadMedia, Stream
from origin.runtime.journal.follower import FollowedChannel
from origin.runtime.server.exchange import Exchange
from origin.runtime.server.growing_segment import ChunkedSegment, SegmentState
from origin.runtime.server.parsing import ParsedRequest
from packager.timing.clock import monotonic
from packager.timing.ticks import UtcMicros


class HeldRequest(ABC):
    """One request that is held; each lane has its own kind."""

    __slots__ = ("request", "since")

    def __init__(self, request: ParsedRequest, since: float) -> None:
        """`since`: monotonic seconds."""
        self.request = request
        self.since = since

    @property
    @abstractmethod
    def is_gone(self) -> bool:
        """Whether its client has left."""

    @abstractmethod
    def respond(self, response: PreparedResponse) -> None:
        """Send a response."""

    @abstractmethod
    def stream(self, stream: Stream) -> None:
        """Send a segment that is being written."""

    @abstractmethod
    def retry(self) -> None:
        """Respond to the request from the beginning, in a task."""


class HeldRequests:
    """All requests that are held, and the growing segments that are being sent."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._responder = exchange.responder
        self._rows: dict[CachedAnswer, deque[HeldRequest]] = {}
        self._segments: dict[CachedAnswer, ChunkedSegment] = {}

    def __len__(self) -> int:
        """Number of requests."""
        return sum(map(len, self._rows.values())) + sum(map(len, self._segments.values()))

    def hold(self, held: HeldRequest) -> None:
        """Keep a request whose outcome is `Hold`."""
        self._rows.setdefault(held.request.target.answer, deque()).append(held)

    def segment(self, answer: CachedAnswer, stream: Stream) -> ChunkedSegment:
        """The growing segment of a `Stream`, read up to its last record."""
        segment = self._segments.get(answer)
        if segment is None:
            path = self._responder.path_of(stream.plan)
            counters = stream.response.counters
            segment = ChunkedSegment(answer.channel, stream.plan, path, counters)
            segment.grow()
            if segment.state is SegmentState.GROWING:
                self._segments[answer] = segment
        return segment

    def grown(self, channel: FollowedChannel, now: UtcMicros) -> None:
        """Look at the requests of a channel whose timeline has changed."""
        for answer in [answer for answer in self._rows if answer.channel is channel]:
            self._look(answer, now)
        for answer, segment in list(self._segments.items()):
            if segment.channel is channel:
                segment.grow()
                if segment.state is not SegmentState.GROWING:
                    del self._segments[answer]

    def expire(self, now: UtcMicros) -> None:
        """Refuse the requests whose time is up; abandon the segments that stopped growing."""
        tick = monotonic()
        for answer in list(self._rows):
            self._look(answer, now)
            self._expire_row(answer, tick)
        for answer, segment in list(self._segments.items()):
            if tick - segment.grew_at >= segment.longest_pause:
                segment.abandon()
                del self._segments[answer]

    def _expire_row(self, answer: CachedAnswer, tick: float) -> None:
        row, wait = self._rows.get(answer), _wait_of(answer.plan)
        if row is None or wait is None:
            return
        while row and tick - row[0].since >= wait.at_most:
            refusal = self._responder.refusals.of(wait.otherwise, answer)
            for held in _present([row.popleft()]):
                held.respond(refusal)
        if not row:
            del self._rows[answer]

    def _look(self, answer: CachedAnswer, now: UtcMicros) -> None:
        """Respond to a row if that is possible."""
        gzip = self._rows[answer][0].request.lines.gzip
        try:
            outcome = self._responder.outcome(answer, now, gzip=gzip)
        except Exception:  # noqa: BLE001 - the retry of the request reports the error
            for held in _present(self._rows.pop(answer)):
                held.retry()
            return
        if isinstance(outcome, Hold):
            return
        row = self._rows.pop(answer)
        if isinstance(outcome, ReadMedia):
            media = self._responder.media
            if media.load_then(answer, outcome.plan, lambda: self._release(answer, row)):
                return
        self._release(answer, row)

    def _release(self, answer: CachedAnswer, row: Iterable[HeldRequest]) -> None:
        """Respond to each request of a row."""
        now = self._exchange.clock.now()
        outcomes: dict[bool, Outcome] = {}
        for held in _present(row):
            gzip = held.request.lines.gzip
            if gzip not in outcomes:
                outcomes[gzip] = self._responder.outcome(answer, now, gzip=gzip)
            self._release_one(held, self._exchange.fit(held.request, outcomes[gzip]))

    def _release_one(self, held: HeldRequest, outcome: Outcome) -> None:
        match outcome:
            case PreparedResponse():
                held.respond(outcome)
            case Stream():
                held.stream(outcome)
            case Hold():
                self.hold(held)
            case ReadMedia():
                held.retry()


def _present(row: Iterable[HeldRequest]) -> Iterator[HeldRequest]:
    """The requests whose clients have not left."""
    return (held for held in row if not held.is_gone)


def _wait_of(plan: Plan | None) -> Wait | None:
    """The time that the requests of a plan are held for; None if they are not held."""
    if isinstance(plan, ServeGrowing):
        return plan.whole
    return plan if isinstance(plan, Wait) else None
