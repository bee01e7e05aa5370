"""A response before it is sent: status, headers, and a body in memory or in a file."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC
from email.utils import formatdate, parsedate_to_datetime
from typing import Protocol

from origin.http.ranges import Unsatisfiable, parse_range
from packager.timing.ticks import MICROS, UtcMicros


class OpenedFile(Protocol):
    """An open file: its bytes stay readable when its name is removed."""

    @property
    def descriptor(self) -> int:
        """The file descriptor."""
        ...

    is_truncated: bool
    """The file was found to end before the slice does."""


@dataclass(frozen=True, slots=True)
class FileSlice:
    """Bytes of a file of the media store."""

    path: str
    offset: int
    size: int
    file: OpenedFile | None = None
    """The file, if it is open and the slice is in the page cache."""


GROWING = FileSlice("", 0, 0)
"""The body of a segment that is being written: its length is unknown."""
GROWING_HEAD = FileSlice("", 0, 0)
"""The same for a response to HEAD, which has no body and no Transfer-Encoding."""


@dataclass(frozen=True, slots=True)
class Response:
    """A response without the headers that differ from request to request."""

    status: int
    content_type: str
    cache_control: str
    body: bytes | FileSlice
    etag: str = ""
    modified: UtcMicros | None = None
    ranges: bool = False
    """Byte ranges of the body are served."""
    extra: tuple[tuple[str, str], ...] = ()
    """Headers of this kind of response only."""

    @property
    def size(self) -> int:
        """Bytes of the body."""
        return len(self.body) if isinstance(self.body, bytes) else self.body.size

    def headers(self) -> dict[str, str]:
        """Headers of the object, always in the same order."""
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


def plain(status: int, text: str, cache_control: str, *extra: tuple[str, str]) -> Response:
    """A response with one line of text."""
    body = f"{text}\n".encode()
    return Response(status, "text/plain; charset=utf-8", cache_control, body, extra=extra)


CONDITIONS = (
    *("If-Match", "If-Unmodified-Since", "If-None-Match", "If-Modified-Since"),
    *("Range", "If-Range"),
)
"""The request headers that `conditioned` reads."""


def conditioned(
    response: Response, method: str, headers: Mapping[str, str], error_caching: str
) -> Response:
    """`response` (a 200) after the request's conditions and range (RFC 9110 section 13.2.2).

    Args:
        response: the response without conditions.
        method: the request's, GET or HEAD.
        headers: those `CONDITIONS` that the request has.
        error_caching: the Cache-Control of 412 and 416.
    """
    if not response.etag:
        return response
    if not _matches_precondition(response, headers):
        return plain(412, "If-Match or If-Unmodified-Since does not match", error_caching)
    if _is_not_modified(response, headers):
        return replace(response, status=304, body=b"")
    # Section 14.2: a range applies to GET only.
    if method == "GET" and response.ranges and _range_applies(response, headers):
        return _ranged(response, headers, error_caching)
    return response


def _ranged(response: Response, headers: Mapping[str, str], error_caching: str) -> Response:
    """The range of `response` that the request asks for (RFC 9110 section 14.2)."""
    try:
        wanted = parse_range(headers.get("Range"), response.size)
    except Unsatisfiable:
        outside = ("Content-Range", f"bytes */{response.size}")
        return plain(416, "the range is outside of the body", error_caching, outside)
    if wanted is None:
        return response
    offset, size = wanted
    where = f"bytes {offset}-{offset + size - 1}/{response.size}"
    part = (*response.extra, ("Content-Range", where))
    return replace(response, status=206, body=_cut(response.body, offset, size), extra=part)


def _matches_precondition(response: Response, headers: Mapping[str, str]) -> bool:
    """Whether If-Match or If-Unmodified-Since holds (sections 13.1.1 and 13.1.4)."""
    if (tags := headers.get("If-Match")) is not None:
        return not _tags(tags).isdisjoint({"*", response.etag})
    since = _seconds(headers.get("If-Unmodified-Since"))
    return since is None or response.modified is None or response.modified // MICROS <= since


def _is_not_modified(response: Response, headers: Mapping[str, str]) -> bool:
    """Whether the client has this body already (sections 13.1.2 and 13.1.3)."""
    if (tags := headers.get("If-None-Match")) is not None:
        known = {tag.removeprefix("W/") for tag in _tags(tags)}
        return not known.isdisjoint({"*", response.etag})
    since = _seconds(headers.get("If-Modified-Since"))
    return (
        since is not None and response.modified is not None and response.modified // MICROS <= since
    )


def _tags(text: str) -> set[str]:
    return {tag.strip() for tag in text.split(",")}


def _seconds(date: str | None) -> float | None:
    """Seconds since the Unix epoch; None if `date` is not a date, and so not a condition."""
    try:
        parsed = parsedate_to_datetime(date or "")
        # asctime's form has no zone; HTTP dates are in GMT (section 5.6.7).
        return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def _range_applies(response: Response, headers: Mapping[str, str]) -> bool:
    """Whether If-Range still matches the body (section 13.1.5)."""
    condition = headers.get("If-Range")
    if condition is None or condition == response.etag:
        return True
    return response.modified is not None and condition == http_date(response.modified)


def _cut(body: bytes | FileSlice, offset: int, size: int) -> bytes | FileSlice:
    if isinstance(body, bytes):
        return body[offset : offset + size]
    return replace(body, offset=body.offset + offset, size=size)
