import asyncio
import re
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from origin.http import http1
from origin.http.http1 import LONGEST_HEAD, HeaderLines
from origin.http.response import CONDITIONS, FileSlice, Response
from packager.timing.ticks import UtcMicros
from tests.support.requests import SEPARATOR, Known, is_tame, parsed, requests

KNOWN = Known(
    (b"/", b"/healthz", b"/live/tv/index.mpd", b"/live/tv/v0/1.m4s", b"/live/tv/from/1/index.m3u8"),
    (b'"a"', b'"b-gz"'),
    (b"Thu, 01 Jan 2026 00:00:09 GMT",),
)
_START = re.compile(rb"(?:GET|HEAD) ")


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    made = asyncio.new_event_loop()
    yield made
    made.close()


def plain_parts(head: bytes) -> tuple[bytes, HeaderLines] | None:
    """Target and lines of a head that is plain as a whole."""
    first, _, block = head.partition(b"\r\n")
    method, _, rest = first.partition(b" ")
    target = rest.removesuffix(b" HTTP/1.1")
    if method not in (b"GET", b"HEAD") or target == rest or not http1.is_plain_target(target):
        return None
    lines = http1.read_lines(block)
    return None if lines is None else (target, lines)


@given(head=requests(KNOWN) | st.binary(max_size=80).map(lambda data: b"GET / HTTP/1.1\r\n" + data))
def test_a_plain_head_is_the_same_to_a_full_parser(
    loop: asyncio.AbstractEventLoop, head: bytes
) -> None:
    plain = plain_parts(head)
    if plain is None or head.count(SEPARATOR) != 1 or not head.endswith(SEPARATOR):
        return
    target, lines = plain
    found = parsed(head, loop)
    assert found is not None
    (message,), whole = found
    assert whole
    assert not any((message.should_close, message.upgrade, message.chunked, message.compression))
    assert message.method == head.split()[0].decode()
    assert message.path == target.decode()
    path, _, query = target.partition(b"?")
    assert message.url.raw_path == path.decode()
    assert message.url.raw_query_string == query.decode()
    fields = {name.lower(): value for name, value in message.headers.items()}
    assert len(fields) == len(message.headers)
    assert lines == http1.lines_of(fields)
    assert lines.conditions is None or set(lines.conditions) <= set(CONDITIONS)


@given(head=requests(KNOWN))
def test_the_beginning_of_a_plain_head_may_become_plain(head: bytes) -> None:
    if plain_parts(head) is None or len(head) > LONGEST_HEAD:
        return
    # The two bytes of a line's end may arrive apart: the first alone decides nothing.
    for length in range(1, len(head)):
        assert http1.may_become_plain(head[:length])


@given(data=requests(KNOWN))
def test_bytes_that_cannot_become_plain_never_do(data: bytes) -> None:
    ends = [data[:length] for length in range(1, len(data), 7)]
    if any(not http1.may_become_plain(end) for end in ends):
        assert plain_parts(data) is None or len(data) > LONGEST_HEAD


def test_ordinary_requests_are_plain(loop: asyncio.AbstractEventLoop) -> None:
    head = (
        b"GET /live/tv/v0/index.m3u8?cmcd=br%3D1&x HTTP/1.1\r\n"
        b"Host: origin.example:8080\r\nAccept-Encoding: gzip, br\r\nUser-Agent: Mozilla/5.0 (X)\r\n"
        b'Connection: Keep-Alive\r\nX-Request-ID: a-b\r\nIf-None-Match: "a"\r\n'
        b"traceparent: 00-" + b"ab" * 16 + b"-" + b"cd" * 8 + b"-01\r\nCMCD-Request: bl=1\r\n\r\n"
    )
    plain = plain_parts(head)
    assert plain is not None
    assert is_tame(head, loop)
    _, lines = plain
    assert lines.gzip
    assert lines.conditions == {"If-None-Match": '"a"'}
    assert (lines.tag, lines.request_id) == ('"a"', "a-b")
    assert lines.trace == "00-" + "ab" * 16 + "-" + "cd" * 8 + "-01"
    assert lines.cmcd == {"cmcd-request": "bl=1"}


@pytest.mark.parametrize(
    "block",
    [
        b"\r\n",
        b"X: y\r\n\r\n",
        b"Host: x\r\nHost: x\r\n\r\n",
        b"Host: x\r\nContent-Length: 0\r\n\r\n",
        b"Host: x\r\nConnection: close\r\n\r\n",
        b"Host: x\r\nProxy-Connection: close\r\n\r\n",
        b"Host: x\r\n folded\r\n\r\n",
        b"Host : x\r\n\r\n",
        b"Host: x\r\nX: \xc3\xa9\r\n\r\n",
        b"Host: x\r\nX: a\x00b\r\n\r\n",
        b"Host: x\r\nX: a\rb\n\r\n\r\n",
        b"Host: x\nX: y\r\n\r\n",
        b"Host: x\r\nX: " + b"y" * LONGEST_HEAD + b"\r\n\r\n",
        b"Host: x\r\n" + b"".join(b"X-%d: y\r\n" % i for i in range(100)) + b"\r\n",
    ],
)
def test_unusual_heads_are_not_plain(block: bytes) -> None:
    assert http1.read_lines(block) is None


@pytest.mark.parametrize(
    "target",
    [b"", b"x", b"//x", b"/%41", b"/a b", b"/x#y", b"/x?#", b"*", b"/\xff", b"http://x/", b"/a+b"],
)
def test_targets_that_may_mean_another_are_not_plain(target: bytes) -> None:
    assert not http1.is_plain_target(target)
    assert not http1.is_plain_target(b"/" + b"x" * LONGEST_HEAD)


_words = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=12)


@given(
    answer=st.builds(
        Response,
        status=st.sampled_from([200, 204, 206, 302, 304, 400, 404, 405, 410, 412, 416, 503]),
        content_type=_words,
        cache_control=_words,
        body=st.binary(max_size=9) | st.just(FileSlice("x", 0, 1 << 40)),
        etag=_words,
        modified=st.none() | st.integers(0, 2**52).map(UtcMicros),
        ranges=st.booleans(),
        extra=st.just(()) | st.tuples(st.tuples(st.just("Vary"), _words)),
    )
)
def test_a_head_is_its_fields_in_their_order(answer: Response) -> None:
    first, *lines, rest = http1.head(answer).decode("latin-1").split("\r\n")
    assert re.fullmatch(rf"HTTP/1\.1 {answer.status} [A-Z][A-Za-z -]+", first)
    assert rest == ""
    fields = http1.fields(answer)
    assert lines == [f"{name}: {value}" for name, value in fields]
    length = dict(fields).get("Content-Length")
    assert length == (None if answer.status in (204, 304) else str(answer.size))
    assert len(dict(fields)) == len(fields)
