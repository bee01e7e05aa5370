"""HTTP/1.1 on the wire: what the head of a request says, what the head of an answer is.

A request whose head is plain can be answered from its bytes; whatever is out of the ordinary is for
a full parser, which then is the only one that decides about it.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from http import HTTPStatus

import msgspec

from origin.answer import CONDITIONS, GROWING, Answer
from origin.encoding import wants_gzip

LONGEST_HEAD = 8000
"""Bytes of a plain head: less than what a full parser takes of a single line."""
_MOST_LINES = 100
_PHRASES = {status.value: status.phrase for status in HTTPStatus}
_PRINTABLE = bytes([9, *range(32, 127)])
_MEMO = 1024
"""Words that come again and again and are looked at once."""
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
"""Names of lines that announce a body, or that something else than an answer is wanted."""
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


class Lines(msgspec.Struct, frozen=True):
    """What the header lines of a request say, as far as an answer, a count or a log wants it."""

    zipped: bool = False
    """The body is wanted in gzip."""
    conditions: Mapping[str, str] | None = None
    """Those of `CONDITIONS` that are there; None for none."""
    tag: str = ""
    """The entity tags of If-None-Match, where there is no other condition."""
    request_id: str = ""
    """The client's own, if it may be given back."""
    trace: str = ""
    """A traceparent (W3C Trace Context), as it came."""
    secret: str = ""
    """What a CDN shows to be the one it says."""
    agent: str = ""
    forwarded: str = ""
    """X-Forwarded-For."""
    cmcd: Mapping[str, str] | None = None
    """The headers of CTA-5004, by their names in lower case; None for none."""

    @property
    def are_bland(self) -> bool:
        """Whether nothing is said that an answer or a count would say more for."""
        named = self.request_id or self.trace
        return self.conditions is None and self.cmcd is None and not named


def read_lines(block: bytes) -> Lines | None:
    """What header lines say, from the first to the empty one; None where they are not plain.

    No line stands twice, none announces a body, and no octet is beyond ASCII.
    """
    ends = block.count(b"\r\n")
    if len(block) > LONGEST_HEAD or block.translate(None, _PRINTABLE) != b"\r\n" * ends:
        return None
    lines = block[:-4].decode().split("\r\n")
    said: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        low = _lowered(name)
        if not (low and colon) or low in _NOT_PLAIN:
            return None
        said[low] = value.strip(" \t")
    if len(said) != len(lines) or len(lines) > _MOST_LINES or not _is_host(said.get("host", "")):
        return None
    if said.get("connection", "keep-alive").lower() != "keep-alive":
        return None
    return lines_of(said)


@lru_cache(_MEMO)
def _lowered(name: str) -> str:
    """The name of a header line in lower case; empty if it is none."""
    return name.lower() if _NAME.fullmatch(name) else ""


@lru_cache(_MEMO)
def _is_host(value: str) -> bool:
    return _HOST.fullmatch(value) is not None


def lines_of(said: Mapping[str, str]) -> Lines:
    """What header lines say, by their names in lower case."""
    there = said.keys() & _CONDITIONS.keys()
    conditions = {_CONDITIONS[low]: said[low] for low in there}
    return Lines(
        zipped=wants_gzip(said.get("accept-encoding", "")),
        conditions=conditions or None,
        tag=conditions.get("If-None-Match", "") if len(conditions) == 1 else "",
        request_id=_matching(_REQUEST_ID, said.get("x-request-id")),
        trace=_matching(_TRACE, said.get("traceparent")),
        secret=said.get("x-cdn-secret", ""),
        agent=said.get("user-agent", ""),
        forwarded=said.get("x-forwarded-for", ""),
        cmcd={name: said[name] for name in said.keys() & _CMCD} or None,
    )


def _matching(grammar: re.Pattern[str], text: str | None) -> str:
    return text if text is not None and grammar.fullmatch(text) else ""


def is_plain_target(target: bytes) -> bool:
    """Whether a request's target is a path that means itself, with any query behind it."""
    return len(target) <= LONGEST_HEAD and _TARGET.fullmatch(target) is not None


def may_become_plain(data: bytes) -> bool:
    """Whether `data`, the first bytes of a head, may be the beginning of a plain one."""
    if len(data) > LONGEST_HEAD or data.count(b"\n") != data.count(b"\r\n"):
        return False
    return (
        data.startswith((b"GET /", b"HEAD /"))
        or b"GET /".startswith(data)
        or b"HEAD /".startswith(data)
    )


def has_body(method: str, status: int) -> bool:
    """Whether an answer has a body behind its head (RFC 9110 sections 6.4.1 and 9.3.2)."""
    return method != "HEAD" and status not in (204, 304)


def fields(answer: Answer) -> list[tuple[str, str]]:
    """All headers that are the same whenever and whoever asks, in an order that never changes."""
    lasting = list(answer.headers().items())
    if answer.body is GROWING:
        lasting.append(("Transfer-Encoding", "chunked"))
    elif answer.status not in (204, 304):
        lasting.append(("Content-Length", str(answer.size)))
    return [*lasting, *_EVERYWHERE]


def head(answer: Answer) -> bytes:
    """Status line and `fields`: date, the request's id and an empty line are still to come."""
    first = f"HTTP/1.1 {answer.status} {_PHRASES[answer.status]}\r\n"
    return (first + "".join(f"{n}: {v}\r\n" for n, v in fields(answer))).encode("latin-1")
