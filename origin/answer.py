"""An answer before it is sent: status, headers and a body that may still lie in a file."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from email.utils import formatdate, parsedate_to_datetime

from origin.ranges import Unsatisfiable, parse_range
from packager.ticks import MICROS, UtcMicros


@dataclass(frozen=True, slots=True)
class Slice:
    """Bytes of a file of the media store."""

    path: str
    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What to send."""

    status: int
    content_type: str
    cache_control: str
    body: bytes | Slice
    etag: str = ""
    modified: UtcMicros | None = None
    ranges: bool = False
    """Parts of the body may be asked for."""
    extra: tuple[tuple[str, str], ...] = ()
    """Headers that only this kind of answer has."""

    @property
    def size(self) -> int:
        """Bytes of the body."""
        return len(self.body) if isinstance(self.body, bytes) else self.body.size

    def headers(self) -> dict[str, str]:
        """All headers but those that the connection adds, in an order that never changes."""
        headers = {"Content-Type": self.content_type, "Cache-Control": self.cache_control}
        if self.etag:
            headers["ETag"] = self.etag
        if self.modified is not None:
            headers["Last-Modified"] = http_date(self.modified)
        if self.ranges:
            headers["Accept-Ranges"] = "bytes"
        headers.update(self.extra)
        return headers


def http_date(instant: UtcMicros) -> str:
    """`instant` as an IMF-fixdate (RFC 9110 section 5.6.7)."""
    return formatdate(instant // MICROS, usegmt=True)


def plain(status: int, text: str, cache_control: str, *extra: tuple[str, str]) -> Answer:
    """One line of text."""
    body = f"{text}\n".encode()
    return Answer(status, "text/plain; charset=utf-8", cache_control, body, extra=extra)


def conditioned(answer: Answer, request: Mapping[str, str]) -> Answer:
    """`answer` (a 200) as the request's conditions and range want it (RFC 9110 section 13.2.2).

    Args:
        answer: what would be sent without conditions.
        request: the request's headers, found under any case.
    """
    if answer.etag and _not_modified(answer, request):
        return replace(answer, status=304, body=b"")
    if not answer.ranges or not _range_applies(answer, request):
        return answer
    try:
        wanted = parse_range(request.get("Range"), answer.size)
    except Unsatisfiable:
        outside = ("Content-Range", f"bytes */{answer.size}")
        return plain(416, "no byte of the body lies in the range", "no-store", outside)
    if wanted is None:
        return answer
    offset, size = wanted
    said = f"bytes {offset}-{offset + size - 1}/{answer.size}"
    part = (*answer.extra, ("Content-Range", said))
    return replace(answer, status=206, body=_cut(answer.body, offset, size), extra=part)


def _not_modified(answer: Answer, request: Mapping[str, str]) -> bool:
    if (wanted := request.get("If-None-Match")) is not None:
        known = {tag.strip().removeprefix("W/") for tag in wanted.split(",")}
        return "*" in known or answer.etag in known
    since = request.get("If-Modified-Since")
    if since is None or answer.modified is None:
        return False
    try:
        return answer.modified // MICROS <= parsedate_to_datetime(since).timestamp()
    except (ValueError, OverflowError):
        return False


def _range_applies(answer: Answer, request: Mapping[str, str]) -> bool:
    """Whether the body is still the one that the range was made for (section 13.1.5)."""
    condition = request.get("If-Range")
    if condition is None or condition == answer.etag:
        return True
    return answer.modified is not None and condition == http_date(answer.modified)


def _cut(body: bytes | Slice, offset: int, size: int) -> bytes | Slice:
    if isinstance(body, bytes):
        return body[offset : offset + size]
    return Slice(body.path, body.offset + offset, size)
