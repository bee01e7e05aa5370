"""The steps that both lanes share: respond to a request, account for the response."""

from dataclasses import replace

from origin.caching.prepared import PreparedResponse
from origin.http.response import GROWING_HEAD
from origin.runtime.content.outcome import Hold, Outcome, Stream
from origin.runtime.content.responder import Responder
from origin.runtime.server.accounting import Accounting
from origin.runtime.server.headers import ResponseStamps
from origin.runtime.server.parsing import ParsedRequest
from origin.runtime.telemetry.access_log import AccessLog
from origin.runtime.telemetry.cmcd_metrics import CmcdMetrics
from packager.timing.clock import Clock
from packager.timing.ticks import UtcMicros

_OK = 200


class Exchange:
    """Decides on the response to each request; the lanes differ only in how they write it.

    parse -> respond (a response, Hold, Stream or ReadMedia) -> account -> write
    """

    def __init__(
        self, responder: Responder, clock: Clock, log: AccessLog, cmcd: CmcdMetrics
    ) -> None:
        self.responder = responder
        self.clock = clock
        self.stamps = ResponseStamps()
        self.accounting = Accounting(responder.counters, self.stamps, log, cmcd)

    def respond(self, request: ParsedRequest, now: UtcMicros) -> Outcome:
        """The outcome of a GET or HEAD."""
        lines = request.lines
        outcome = self.responder.respond(request.target, lines, now)
        if lines.conditions is None and isinstance(outcome, PreparedResponse):
            return outcome
        return self.fit(request, outcome)

    def respond_again(self, request: ParsedRequest, now: UtcMicros) -> Outcome:
        """The outcome of a request that was held, and whose access was checked before."""
        answer = request.target.answer
        return self.fit(request, self.responder.outcome(answer, now, gzip=request.lines.gzip))

    def fit(self, request: ParsedRequest, outcome: Outcome) -> Outcome:
        """`outcome` after the request's conditions, method and version."""
        if isinstance(outcome, PreparedResponse):
            if request.lines.conditions is None:
                return outcome
            return self.conditioned(request, outcome)
        if not isinstance(outcome, Stream):
            return outcome
        if not request.takes_chunks:
            return Hold(outcome.plan.whole)
        if request.method == "HEAD":
            response = outcome.response
            bodiless = replace(response.response, body=GROWING_HEAD)
            return PreparedResponse(bodiless, response.counters)
        return outcome

    def conditioned(self, request: ParsedRequest, response: PreparedResponse) -> PreparedResponse:
        """`response` after the conditions and the range of a request."""
        lines = request.lines
        if lines.conditions is None or response.response.status != _OK:
            return response
        return self.responder.conditioned(response, lines, request.method)
