"""The headers that tell one answer from another equal one: when, and to which request."""

from collections.abc import Iterable
from email.utils import formatdate
from uuid import uuid4

from aiohttp import web

from origin import wire
from origin.answer import Answer
from origin.wire import Lines
from packager.clock import Clock
from packager.ticks import MICROS


class Stamps:
    """Dates, and names for requests that have none: no two alike, on however many origins."""

    def __init__(self, clock: Clock) -> None:
        """Read `clock` for each date."""
        self._clock = clock
        self._prefix = self.family()
        self._given = 0

    def family(self) -> str:
        """What twelve hexadecimal digits are put behind for a name: no two alike."""
        return uuid4().hex[:20]

    def name(self) -> str:
        """A name for a request."""
        self._given = number = self._given + 1
        return f"{self._prefix}{number:012x}"

    def of(self, lines: Lines) -> Iterable[tuple[str, str]]:
        """What an answer to a request with these lines has beside its `wire.fields`."""
        yield "Date", formatdate(self._clock.now() // MICROS, usegmt=True)
        yield "X-Request-ID", lines.request_id or self.name()
        if lines.trace:
            yield "traceparent", lines.trace


def lines_of(request: web.BaseRequest) -> Lines:
    """What the header lines of a request say; several of one name are one list.

    RFC 9110 section 5.3.
    """
    said: dict[str, str] = {}
    for name, value in request.headers.items():
        low = name.lower()
        said[low] = f"{said[low]}, {value}" if low in said else value
    return wire.lines_of(said)


def headers_of(answer: Answer, lines: Lines, stamps: Stamps) -> dict[str, str]:
    """All headers of `answer` but those that the connection adds, always in the same order."""
    return dict([*wire.fields(answer), *stamps.of(lines)])
