"""HTTP/1.1 as bytes: reads plain request heads, writes response heads.

The fast path reads plain heads only. All other heads go to aiohttp's parser, and from there on that
parser reads the whole connection.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from http import HTTPStatus

import msgspec

from origin.http.content_coding import wants_gzip
from origin.http.response import CONDITIONS, GROWING, GROWING_HEAD, Response

LONGEST_HEAD = 8000
"""Bytes of a plain head: less than aiohttp's limit for a single line."""
_MOST_LINES = 100
_PHRASES = {status.value: status.phrase for status in HTTPStatus}
_PRINTABLE = bytes([9, *range(32, 127)])
_MEMO = 1024
"""Header names and hosts whose check is remembered."""
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HOST = re.compile(r"[0-9A-Za-z._:\[\]-]+")
_TARGET = re.compile(rb"/(?!/)[0-9A-Za-z/._~=()-]*(?:\?[0-9A-Za-z%&=+,;:@!$'()*/?._~-]*)?")
_REQUEST_ID = re.compile(r"[\x21-\x7e]{1,128}")
_TRACE = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_NOT_PLAIN = frozenset(
    (
        *("content-length", "transfer-encoding", "content-encoding", "expect", "upgrade"),
        *("te", "trailer", "sec-websocket-key1", "http2-settings", "proxy-connection"),
    )
)
"""Names of headers that announce a body, or that ask for another protocol."""
_CONDITIONS = {name.lower(): name for name in CONDITIONS}
_EVERYWHERE = (
    ("Access-Control-Allow-Origin", "*"),
    (
        "Access-Control-Expose-Headers",
        "Content-Length, Content-Range, Date, ETag, Ringside-Window-Start, X-Request-ID",
    ),
    ("Server", "Ringside"),
)
_CMCD = frozenset(("cmcd-request", "cmcd-object", "cmcd-session", "cmcd-status"))


class HeaderLines(msgspec.Struct, frozen=True):
    """The header values of a request that responses, counters and log use."""

    gzip: bool = False
    """Accept-Encoding prefers gzip."""
    conditions: Mapping[str, str] | None = None
    """Those `CONDITIONS` that the request has; None without any."""
    tag: str = ""
    """If-None-Match, if it is the only condition."""
    request_id: str = ""
    """The client's X-Request-ID, if it is safe to echo."""
    trace: str = ""
    """The request's traceparent (W3C Trace Context)."""
    secret: str = ""
    """X-CDN-Secret, by which a CDN proves its identity."""
    agent: str = ""
    forwarded: str = ""
    """X-Forwarded-For."""
    cmcd: Mapping[str, str] | None = None
    """The headers of CTA-5004, by their names in lower case; None without any."""

    @property
    def are_ordinary(self) -> bool:
        """Whether response and accounting depend on coding and entity tag alone."""
        return not (
            self.cmcd
            or self.request_id
            or self.trace
            or (self.conditions is not None and not self.tag)
        )


def read_lines(block: bytes) -> HeaderLines | None:
    """The values of header lines, up to and with the empty line; None if they are not plain.

    Plain lines are ASCII, have distinct names, and announce no body.
    """
    ends = block.count(b"\r\n")
    if len(block) > LONGEST_HEAD or block.translate(None, _PRINTABLE) != b"\r\n" * ends:
        return None
    lines = block[:-4].decode().split("\r\n")
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        low = _lowered(name)
        if not (low and colon) or low in _NOT_PLAIN:
            return None
        headers[low] = value.strip(" \t")
    if (
        len(headers) != len(lines)
        or len(lines) > _MOST_LINES
        or not _is_host(headers.get("host", ""))
    ):
        return None
    if headers.get("connection", "keep-alive").lower() != "keep-alive":
        return None
    return lines_of(headers)


@lru_cache(_MEMO)
def _lowered(name: str) -> str:
    """A header name in lower case; empty if it is not valid."""
    return name.lower() if _NAME.fullmatch(name) else ""


@lru_cache(_MEMO)
def _is_host(value: str) -> bool:
    return _HOST.fullmatch(value) is not None


def lines_of(headers: Mapping[str, str]) -> HeaderLines:
    """The values of header lines, given by their names in lower case."""
    there = headers.keys() & _CONDITIONS.keys()
    conditions = {_CONDITIONS[low]: headers[low] for low in there}
    return HeaderLines(
        gzip=wants_gzip(headers.get("accept-encoding", "")),
        conditions=conditions or None,
        tag=conditions.get("If-None-Match", "") if len(conditions) == 1 else "",
        request_id=_matching(_REQUEST_ID, headers.get("x-request-id")),
        trace=_matching(_TRACE, headers.get("traceparent")),
        secret=headers.get("x-cdn-secret", ""),
        agent=headers.get("user-agent", ""),
        forwarded=headers.get("x-forwarded-for", ""),
        cmcd={name: headers[name] for name in headers.keys() & _CMCD} or None,
    )


def _matching(grammar: re.Pattern[str], text: str | None) -> str:
    return text if text is not None and grammar.fullmatch(text) else ""


def is_plain_target(target: bytes) -> bool:
    """Whether a request's target is a path without escapes, with or without a query."""
    return len(target) <= LONGEST_HEAD and _TARGET.fullmatch(target) is not None


def may_become_plain(data: bytes) -> bool:
    """Whether `data`, the first bytes of a head, may begin a plain head."""
    if len(data) > LONGEST_HEAD or data.count(b"\n") != data.count(b"\r\n"):
        return False
    return (
        data.startswith((b"GET /", b"HEAD /"))
        or b"GET /".startswith(data)
        or b"HEAD /".startswith(data)
    )


def has_body(method: str, status: int) -> bool:
    """Whether a response has a body after its head (RFC 9110 sections 6.4.1 and 9.3.2)."""
    return method != "HEAD" and status not in (204, 304)


def fields(response: Response) -> list[tuple[str, str]]:
    """All headers that do not differ between requests, always in the same order."""
    lasting = list(response.headers().items())
    if response.body is GROWING:
        lasting.append(("Transfer-Encoding", "chunked"))
    elif response.body is not GROWING_HEAD and response.status not in (204, 304):
        lasting.append(("Content-Length", str(response.size)))
    return [*lasting, *_EVERYWHERE]


def head(response: Response) -> bytes:
    """Status line and `fields`; date, request id and the empty line are not in it."""
    first = f"HTTP/1.1 {response.status} {_PHRASES[response.status]}\r\n"
    return (first + "".join(f"{n}: {v}\r\n" for n, v in fields(response))).encode("latin-1")
