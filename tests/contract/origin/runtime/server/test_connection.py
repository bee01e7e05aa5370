import re
from io import BytesIO
from pathlib import Path

import pytest

from tests.support.channel import FIRST, WHOLE, channel, payload
from tests.support.site import check, request, serving


async def test_a_connection_goes_on_after_answers_without_a_body(tmp_path: Path) -> None:
    path = f"/live/tv/v0/{FIRST}.m4s"
    async with serving(channel(tmp_path)) as site:
        answers = await site.raw(
            request(f"HEAD {path}"),
            request(f"GET {path}", "If-None-Match: *"),
            request(f"OPTIONS {path}"),
            request(f"GET {path}", "Range: bytes=9999-"),
            request("HEAD /live/tv/index.mpd", "Accept-Encoding: gzip"),
            request(f"GET {path}", "Range: bytes=-3"),
            request(f"POST {path}", "Content-Length: 0"),
            request(f"GET {path}"),
        )
    assert [answer.status for answer in answers] == [200, 304, 204, 416, 200, 206, 405, 200]
    assert answers[-1].body == payload("v0", FIRST, 0) + payload("v0", FIRST, 1)


async def test_an_unexpected_body_of_a_request_is_ignored(tmp_path: Path) -> None:
    async with serving(channel(tmp_path)) as site:
        async with site.session.post(
            f"http://127.0.0.1:{site.port}/live/tv/index.mpd", data=BytesIO(bytes(5_000_000))
        ) as response:
            assert response.status == 405
            assert response.headers["Allow"] == "GET, HEAD, OPTIONS"
        assert (await site.ask("index.mpd")).status == 200


@pytest.mark.parametrize(
    "header",
    [
        "Range: bytes=" + "0-1," * 1500,
        "Range: bytes=\xd9\xa0-\xd9\xa3",
        "Range: bytes=" + "9" * 7000 + "-",
        "If-None-Match: " + ", ".join(['"x"'] * 1500),
        "If-None-Match: \xff",
        "If-Modified-Since: " + "1 " * 3000,
        "If-Modified-Since: Thu, 01 Jan 0000 00:00:00 GMT",
        "If-Modified-Since: \xff\xfe",
        "If-Range: \xff",
        "Accept-Encoding: " + "gzip;q=0," * 800,
        "Accept-Encoding: ;;;,,,===",
        "Accept-Encoding: \xff",
        "Cookie: " + "a" * 8000,
        "Origin: null",
        "Expect: a miracle",
    ],
)
async def test_no_header_is_too_strange(tmp_path: Path, header: str) -> None:
    async with serving(channel(tmp_path)) as site:
        for path in (f"/live/tv/v0/{FIRST}.m4s", "/live/tv/index.mpd"):
            (answer,) = await site.raw(request(f"GET {path}", header))
            check(answer)
            assert answer.status in (200, 400)
            if answer.status == 200 and path.endswith("m4s"):
                assert answer.body == WHOLE


REFUSED = {
    "a line that is too long": request("GET /live/tv/" + "x" * 20_000),
    "a header that is too long": request("GET /live/tv/index.mpd", "X: " + "y" * 20_000),
    "headers that are too many": request("GET /live/tv/index.mpd", *["X: y"] * 5000),
    "bytes beyond ASCII": request("GET /live/tv/v0/\xff\xfe.m4s"),
    "an unknown method": request("BREW /live/tv/index.mpd"),
    "a wrong length": request("GET /live/tv/index.mpd", "Content-Length: x"),
    "no host": b"GET /live/tv/index.mpd HTTP/1.1\r\n\r\n",
    "not HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    "options of the server": request("OPTIONS *"),
    "a tunnel": request("CONNECT elsewhere.example:443"),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_malformed_requests_get_errors_with_headers_for_cdns(
    tmp_path: Path, name: str
) -> None:
    async with serving(channel(tmp_path)) as site:
        (answer,) = await site.raw(REFUSED[name])
        assert (await site.ask("index.mpd")).status == 200
    assert answer.status in (204, *range(400, 500))
    assert re.fullmatch(r"no-store|public, max-age=\d", answer.one("Cache-Control"))
    assert answer.one("X-Request-ID")
    assert answer.one("Access-Control-Allow-Origin") == "*"
