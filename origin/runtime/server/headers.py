"""The headers that differ between equal responses: date, request id, and the connection's end."""

from email.utils import formatdate
from itertools import count
from uuid import uuid4

from origin.http import http1
from origin.http.http1 import HeaderLines
from origin.http.response import Response
from packager.timing.ticks import MICROS, UtcMicros


class ResponseStamps:
    """Numbers the responses of a process; writes dates and unique request ids."""

    def __init__(self) -> None:
        self._prefix = uuid4().hex[:20]
        self.next_number = count(1).__next__
        """The number of the next response."""
        self.is_draining = False
        """Each response is the last one of its connection: the process is about to end."""
        self._second = -1
        self._line = b""

    def drain(self) -> None:
        """Announce with each response that its connection ends."""
        self.is_draining = True

    def request_id(self, lines: HeaderLines, number: int) -> str:
        """The request's own id, or a new one."""
        return lines.request_id or f"{self._prefix}{number:012x}"

    def line(self, now: UtcMicros) -> bytes:
        """The Date header and X-Request-ID up to the twelve digits of the response's number."""
        if (second := now // MICROS) != self._second:
            self._second = second
            date = formatdate(second, usegmt=True)
            self._line = f"Date: {date}\r\nX-Request-ID: {self._prefix}".encode()
        return self._line

    def head(self, head: bytes, lines: HeaderLines, number: int, now: UtcMicros) -> bytes:
        """`head` (the lasting part) with all that differs between responses, and the empty line."""
        if not (lines.request_id or lines.trace or self.is_draining):
            line = self._line if now // MICROS == self._second else self.line(now)
            return b"%b%b%012x\r\n\r\n" % (head, line, number)
        trace = f"\r\ntraceparent: {lines.trace}" if lines.trace else ""
        last = "\r\nConnection: close" if self.is_draining else ""
        line = self.line(now)
        if lines.request_id:
            line = line[: -len(self._prefix)]
            end = f"{lines.request_id}{trace}{last}\r\n\r\n".encode()
        else:
            end = f"{number:012x}{trace}{last}\r\n\r\n".encode()
        return b"".join((head, line, end))

    def headers(
        self, response: Response, lines: HeaderLines, number: int, now: UtcMicros
    ) -> dict[str, str]:
        """The headers of `head` for aiohttp, which adds `Connection` itself."""
        headers = dict(http1.fields(response))
        headers["Date"] = formatdate(now // MICROS, usegmt=True)
        headers["X-Request-ID"] = self.request_id(lines, number)
        if lines.trace:
            headers["traceparent"] = lines.trace
        return headers
