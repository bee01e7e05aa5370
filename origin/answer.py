"""An answer before it is sent: status, headers and a body that may still lie in a file."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC
from email.utils import formatdate, parsedate_to_datetime
from typing import Protocol

from origin.ranges import Unsatisfiable, parse_range
from packager.ticks import MICROS, UtcMicros


class Opened(Protocol):
    """A file that stays open, and its bytes there, whatever becomes of its name."""

    @property
    def descriptor(self) -> int:
        """The kernel's number of it."""
        ...

    short: bool
    """It has been found to end before its bytes do."""


@dataclass(frozen=True, slots=True)
class Slice:
    """Bytes of a file of the media store."""

    path: str
    offset: int
    size: int
    file: Opened | None = None
    """The file, where it is open already and these bytes are in the kernel's memory."""


GROWING = Slice("", 0, 0)
"""The body of what is sent as it comes: nobody knows how long it will be."""


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


CONDITIONS = (
    *("If-Match", "If-Unmodified-Since", "If-None-Match", "If-Modified-Since"),
    *("Range", "If-Range"),
)
"""The headers of a request that `conditioned` looks at."""


def conditioned(answer: Answer, method: str, said: Mapping[str, str], refused: str) -> Answer:
    """`answer` (a 200) as the request's conditions and range want it (RFC 9110 section 13.2.2).

    Args:
        answer: what would be sent without conditions.
        method: the request's, GET or HEAD.
        said: the request's `CONDITIONS`, as far as it has them.
        refused: the Cache-Control of what is refused for them.
    """
    if not answer.etag:
        return answer
    if not _is_wanted(answer, said):
        return plain(412, "not what If-Match or If-Unmodified-Since wants", refused)
    if _is_known(answer, said):
        return replace(answer, status=304, body=b"")
    # Section 14.2: no method but GET has ranges.
    if method != "GET" or not answer.ranges or not _range_applies(answer, said):
        return answer
    try:
        wanted = parse_range(said.get("Range"), answer.size)
    except Unsatisfiable:
        outside = ("Content-Range", f"bytes */{answer.size}")
        return plain(416, "no byte of the body lies in the range", refused, outside)
    if wanted is None:
        return answer
    offset, size = wanted
    where = f"bytes {offset}-{offset + size - 1}/{answer.size}"
    part = (*answer.extra, ("Content-Range", where))
    return replace(answer, status=206, body=_cut(answer.body, offset, size), extra=part)


def _is_wanted(answer: Answer, said: Mapping[str, str]) -> bool:
    """Whether the body is the one that the client means (sections 13.1.1 and 13.1.4)."""
    if (tags := said.get("If-Match")) is not None:
        return not _tags(tags).isdisjoint({"*", answer.etag})
    since = _seconds(said.get("If-Unmodified-Since"))
    return since is None or answer.modified is None or answer.modified // MICROS <= since


def _is_known(answer: Answer, said: Mapping[str, str]) -> bool:
    """Whether the client has the body (sections 13.1.2 and 13.1.3)."""
    if (tags := said.get("If-None-Match")) is not None:
        known = {tag.removeprefix("W/") for tag in _tags(tags)}
        return not known.isdisjoint({"*", answer.etag})
    since = _seconds(said.get("If-Modified-Since"))
    return since is not None and answer.modified is not None and answer.modified // MICROS <= since


def _tags(text: str) -> set[str]:
    return {tag.strip() for tag in text.split(",")}


def _seconds(date: str | None) -> float | None:
    """Seconds since the epoch; None for what is no date and hence no condition."""
    try:
        parsed = parsedate_to_datetime(date or "")
        # The form of asctime() names no zone; all of HTTP's dates are in GMT (section 5.6.7).
        return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def _range_applies(answer: Answer, said: Mapping[str, str]) -> bool:
    """Whether the body is still the one that the range was made for (section 13.1.5)."""
    condition = said.get("If-Range")
    if condition is None or condition == answer.etag:
        return True
    return answer.modified is not None and condition == http_date(answer.modified)


def _cut(body: bytes | Slice, offset: int, size: int) -> bytes | Slice:
    if isinstance(body, bytes):
        return body[offset : offset + size]
    return replace(body, offset=body.offset + offset, size=size)
