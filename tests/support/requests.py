"""Hypothesis strategies: requests as clients, CDNs and attackers write them."""

import asyncio
from dataclasses import dataclass

from aiohttp.base_protocol import BaseProtocol
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.http_parser import HttpRequestParser, RawRequestMessage
from aiohttp.streams import StreamReader
from hypothesis import strategies as st

SEPARATOR = b"\r\n\r\n"
LONGEST = 8190
"""Bytes that aiohttp takes of a target, and of a header line."""

_TOKENS = [b"gzip", b"br", b"identity", b"*", b"x-gzip", b"deflate", b"GZIP", b"gz ip", b""]
_WEIGHTS = [b"", b";q=0", b";q=1", b"; q=0.5", b";q=0.001", b";q=2", b";q=x", b" ; Q = 1"]
_encodings = st.lists(
    st.tuples(st.sampled_from(_TOKENS), st.sampled_from(_WEIGHTS)).map(b"".join), max_size=4
).map(b", ".join)
_ranges = st.sampled_from(
    [
        *(b"bytes=0-0", b"bytes=0-", b"bytes=-1", b"bytes=-0", b"bytes=100-199", b"bytes=1500-"),
        *(b"bytes=65535-65536", b"bytes=-99999999", b"bytes=99999999-", b"bytes=5-1"),
        *(b"bytes=0-1,5-6", b"bytes=x", b"bytes", b"", b"lines=0-1", b"BYTES=0-9", b"bytes= 0-9"),
        b"bytes=" + b"9" * 19 + b"-",
    ]
)
_dates = st.sampled_from(
    [
        *(b"Thu, 01 Jan 1970 00:00:00 GMT", b"Fri, 01 Jan 2100 00:00:00 GMT", b"yesterday", b""),
        *(b"Thursday, 01-Jan-26 00:00:09 GMT", b"Thu Jan  1 00:00:09 2026"),
        b"Thu, 01 Jan 2026 00:00:09 +0100",
    ]
)
_anything = st.binary(max_size=12) | st.sampled_from(
    [b"a" * 300, b"x" * 7900, b"y" * 8300, b"\xc3\xa9", b"a\rb", b"a\nb", b"a\x00b", b"\x7f", b"\t"]
)
_request_ids = st.sampled_from(
    [b"1", b"a-b_c.d:e/f", b"0" * 128, b"0" * 129, b"a b", b"a\tb", b"", b"\xe9", b'"<>{}']
)
_traces = st.sampled_from(
    [
        b"00-" + b"ab" * 16 + b"-" + b"cd" * 8 + b"-01",
        b"00-" + b"AB" * 16 + b"-" + b"cd" * 8 + b"-01",
        b"00-1-2-3",
    ]
)
_hosts = st.sampled_from(
    [b"x", b"origin.example:8080", b"[::1]:80", b"", b"a b", b"a,b", b"x/y", b"user@x", b"\xe9"]
)


def _header(name: bytes, values: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    space = st.sampled_from([b" ", b" ", b" ", b"", b"\t", b"  \t"])
    after = st.sampled_from([b"", b"", b"", b" ", b"\t \t"])
    spelled = st.sampled_from([name, name, name.lower(), name.upper()])
    return st.tuples(spelled, st.just(b":"), space, values, after).map(b"".join)


def _words(*words: bytes) -> st.SearchStrategy[bytes]:
    return st.sampled_from(words)


@dataclass(frozen=True)
class Known:
    """What requests can name."""

    targets: tuple[bytes, ...]
    tags: tuple[bytes, ...]
    dates: tuple[bytes, ...]


def _tags(known: Known) -> st.SearchStrategy[bytes]:
    one = st.sampled_from([*known.tags, b'"x"', b"*", b"", b'"', b"x"])
    weak = st.sampled_from([b"", b"", b"W/", b"w/"])
    return st.lists(st.tuples(weak, one).map(b"".join), min_size=1, max_size=3).map(b", ".join)


def ordinary_headers(known: Known) -> st.SearchStrategy[bytes]:
    """Header lines that leave a request one that is answered like many others."""
    dates = st.sampled_from([*known.dates, b""]) | _dates
    return st.one_of(
        _header(b"Accept-Encoding", _encodings),
        _header(b"If-None-Match", _tags(known)),
        _header(b"If-None-Match", st.sampled_from(known.tags)),
        _header(b"If-Match", _tags(known)),
        _header(b"If-Modified-Since", dates),
        _header(b"If-Unmodified-Since", dates),
        _header(b"If-Range", dates | _tags(known)),
        _header(b"Range", _ranges),
        _header(b"X-Request-ID", _request_ids),
        _header(b"traceparent", _traces),
        _header(b"User-Agent", _words(b"", b"Mozilla/5.0 (X11; Linux)", b"a\tb")),
        _header(b"CMCD-Request", _words(b"bl=2900", b'sid="\r', b"")),
        _header(b"X-Forwarded-For", _words(b"192.0.2.1", b"192.0.2.1, ::1", b"x")),
        _header(b"X-Any", _anything),
        _header(b"Connection", _words(b"keep-alive", b"Keep-Alive")),
        _header(b"Content-Length", _words(b"0")),
    )


def _odd_headers() -> st.SearchStrategy[bytes]:
    return st.one_of(
        _header(b"Connection", _words(b"close", b"Close", b"upgrade", b"keep-alive, x", b"", b"x")),
        _header(b"Proxy-Connection", _words(b"close", b"keep-alive")),
        _header(b"Keep-Alive", _words(b"timeout=5")),
        _header(b"Host", _hosts),
        _header(b"Expect", _words(b"100-continue", b"a miracle")),
        _header(b"Upgrade", _words(b"websocket", b"h2c", b"x")),
        _header(b"TE", _words(b"trailers")),
        _header(b"Trailer", _words(b"X")),
        _header(b"HTTP2-Settings", _words(b"AAMAAABkAAQAAP__")),
        _header(b"Content-Encoding", _words(b"gzip", b"x")),
        _header(b"Sec-WebSocket-Key1", _words(b"1")),
        _header(b"Content-Length", _words(b"1", b"-1", b"+1", b"0x1", b"1, 1", b"", b"9" * 30)),
        _header(b"Transfer-Encoding", _words(b"chunked", b"Chunked", b"identity", b"x, chunked")),
        _header(b"Transfer-Encoding", _words(b"chunked, x", b"\x0bchunked", b"gzip, chunked")),
        st.sampled_from(
            [
                *(b" folded", b"\tfolded", b": no name", b"no colon", b"Na me: x", b"Name : x"),
                *(b"N\xc3\xa4me: x", b"Name\x00: x", b"X: a\x00b", b"", b"\rX: y", b"X: y\r"),
                *(b"X: a\nY: b", b"Host\t: x", b"Transfer-Encoding : chunked", b"X:\x0c"),
            ]
        ),
    )


_QUERIES = [
    *(b"?", b"?x=1", b"?cmcd=br%3D1&sid=%22x%22", b"?_HLS_skip=YES", b"?_HLS_skip=v2", b"?#"),
    *(b"?_HLS_skip=NO", b"?_HLS_skip=YES&_HLS_skip=x", b"?start=1767225602", b"?end=1767225602"),
    *(b"?start=2026-01-01T00:00:04Z", b"?start=2026-01-01T00:00:04%2B00:00&end=1767225609"),
    *(b"?start=x", b"?START=1", b"?%73tart=1", b"?x#y", b"?a b", b"?\xff", b"?start=1\r\nX: y"),
    *(b"?start=1%0d%0aX-Evil:%201", b"?x=" + b"y" * 3000, b"?x=" + b"y" * 9000),
]


_HOW = st.sampled_from(["as it is"] * 6 + ["query"] * 3 + ["other", "long"])
_LENGTHS = st.sampled_from([400, 600, 7900, 8300])
_queries = st.sampled_from(_QUERIES)
_PUT_BEFORE = [
    *(b"/", b"./", b"../", b"%", b"\\", b" ", b"\t", b"\xff", b"\x00", b"#", b"?"),
    *(b"%0d%0aX-Evil:%201", b"%00", b"+", b"|"),
]
_RESPELLED = [
    b"%s%%%02X%s",
    b"%s%%%02x%s",
    *(b"%s" + put.replace(b"%", b"%%") + b"%c%s" for put in _PUT_BEFORE),
    None,
]
_respelled = st.sampled_from(_RESPELLED)
_PUT_AROUND = [
    *((b"/", b""), (b"http://x", b""), (b"http:", b""), (b"", b"/"), (b"", b"\x0b"), (b"x", b"")),
]
_around = st.sampled_from(_PUT_AROUND)


@st.composite
def _targets(draw: st.DrawFn, plain: st.SearchStrategy[bytes]) -> bytes:
    target = draw(plain)
    match draw(_HOW):
        case "query":
            return target + draw(_queries)
        case "long":
            return target + b"/" + b"x" * draw(_LENGTHS)
        case "other":
            form = draw(_respelled)
            if form is None:
                before, after = draw(_around)
                return before + target + after
            at = draw(_places) % len(target)
            return form % (target[:at], target[at], target[at + 1 :])
        case _:
            return target


_places = st.integers(0, 255)
_METHODS = [
    *(b"OPTIONS", b"POST", b"PUT", b"DELETE", b"PATCH", b"TRACE", b"CONNECT", b"get", b"GETS"),
    *(b"HEADS", b"", b" GET", b"\r\nGET", b"\nGET", b"G\xc3\x89T", b"PRI", b"QUERY"),
]
_methods = st.sampled_from([*[b"GET"] * 24, *[b"HEAD"] * 10, *_METHODS, b"POST", b"POST"])
_versions = st.sampled_from(
    [
        *[b"HTTP/1.1"] * 6,
        *(b"HTTP/1.0", b"HTTP/1.0", b"HTTP/1.2", b"HTTP/2.0", b"http/1.1", b"HTTP/1.1 ", b""),
    ]
)
_BODIES = [
    (b"", b""),
    (b"Content-Length: 5", b"hello"),
    (b"Content-Length: 5", b"hell"),
    (b"Content-Length: 70000", b"z" * 70000),
    (b"Transfer-Encoding: chunked", b"3\r\nabc\r\n0\r\n\r\n"),
    (b"Transfer-Encoding: chunked", b"3\nabc\n0\n\n"),
]
_bodies = st.sampled_from(_BODIES)
_odd = st.sampled_from([False, False, False, True])
_seldom = st.sampled_from([False] * 12 + [True])
_many = st.sampled_from([90, 99, 130])
_odd_lines = st.lists(_odd_headers(), max_size=2)
_shuffled = st.randoms(use_true_random=False)


def requests(known: Known) -> st.SearchStrategy[bytes]:
    """Single requests, more often than not plain ones."""
    lines = st.lists(ordinary_headers(known), max_size=3)
    return _requests(_targets(st.sampled_from(known.targets)), lines)


@st.composite
def _requests(
    draw: st.DrawFn, targets: st.SearchStrategy[bytes], headers: st.SearchStrategy[list[bytes]]
) -> bytes:
    odd, method, target = draw(_odd), draw(_methods), draw(targets)
    lines = [b"Host: x", *draw(headers)]
    version, end = b"HTTP/1.1", b"\r\n"
    if odd:
        version = draw(_versions)
        lines += draw(_odd_lines)
        draw(_shuffled).shuffle(lines)
        if draw(_seldom):
            lines.pop()
        if draw(_seldom):
            end = b"\n"
    if draw(_seldom):
        lines += [b"X-%d: y" % number for number in range(draw(_many))]
    line, body = draw(_bodies) if method == b"POST" else (b"", b"")
    if line:
        lines.append(line)
    return end.join([b" ".join(filter(None, [method, target, version])), *lines, b"", b""]) + body


def parsed(
    data: bytes, loop: asyncio.AbstractEventLoop
) -> tuple[list[RawRequestMessage], bool] | None:
    """What aiohttp's parser makes of `data`, and whether it is at the end of a request then.

    None where it is no sequence of requests.
    """
    parser = HttpRequestParser(
        BaseProtocol(loop), loop, 1 << 16, max_line_size=LONGEST, max_field_size=LONGEST
    )
    try:
        messages, upgraded, _ = parser.feed_data(data)
    except HttpProcessingError:
        return None
    whole = all(not isinstance(p, StreamReader) or p.is_eof() for _, p in messages)
    return [message for message, _ in messages], whole and not upgraded


def is_tame(data: bytes, loop: asyncio.AbstractEventLoop) -> bool:
    """Whether `data` is one whole request after which the connection goes on, to aiohttp."""
    found = parsed(data, loop)
    if found is None:
        return False
    messages, whole = found
    return len(messages) == 1 and whole and not (messages[0].should_close or messages[0].upgrade)
