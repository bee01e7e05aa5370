"""Playback tokens and secrets of CDNs on the public port, on both ways through it."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from packager.access.playback_token import sign
from packager.config.secret import Secret
from tests.support.channel import FIRST, WHOLE, channel
from tests.support.site import Answer, Site, check, request, serving

KEY, OTHER = "k" * 32, "o" * 32
SECRET = "s" * 32
TOKENS = f"{{token_keys: [{KEY}]}}"
CDNS = f"{{cdn_secrets: {{north: {SECRET}}}}}"
BIG = 40_000
"""Bytes of a chunk: segments of two such are sent from an open file."""
SEGMENT = f"v0/{FIRST}.m4s"
FILES = ("index.m3u8", "v0/index.m3u8", "index.mpd", SEGMENT, "v0/init-00000000.mp4", "time")


def token(key: str = KEY, prefix: str = "/live/tv", expires: int = 4_000_000_000) -> str:
    return sign(Secret(key.encode()), prefix, expires)


async def both(site: Site, path: str, *headers: str) -> list[Answer]:
    """Three responses to one request: two of the fast path and one through aiohttp."""
    hot = request(f"GET {path}", *headers)
    (odd,) = await site.raw(request(f"GET {path}", "Connection: close", *headers))
    return [*await site.raw(hot, hot), odd]


async def test_requests_without_a_token_are_refused(tmp_path: Path) -> None:
    async with serving(channel(tmp_path), access=TOKENS) as site:
        for file in FILES[:-1]:
            # A viewer with a token fetches it first, so that it is in the cache.
            for answer in await both(site, f"/t/{token()}/live/tv/{file}"):
                assert answer.status in (200, 404)
            for answer in await both(site, f"/live/tv/{file}"):
                check(answer)
                assert (answer.status, answer.body) == (403, b"no token\n")
                assert answer.one("Cache-Control") == "no-store"
            assert (await site.ask(file, "HEAD")).status == 403
            assert (await site.ask(file, headers={"Range": "bytes=0-1"})).status == 403
            assert (await site.ask(file, "OPTIONS")).status == 204


@pytest.mark.parametrize(
    ("shown", "reason"),
    [
        (token(OTHER), b"not a valid token\n"),
        (token()[:-1], b"not a valid token\n"),
        ("x" * 5000, b"not a valid token\n"),
        (token(expires=1), b"the token has expired\n"),
        (token(prefix="/live/other"), b"the token is for another path\n"),
    ],
)
async def test_an_invalid_token_is_refused(tmp_path: Path, shown: str, reason: bytes) -> None:
    async with serving(channel(tmp_path), access=TOKENS) as site:
        assert (await site.ask(f"index.mpd?token={token()}")).status == 200
        for answer in await both(site, f"/live/tv/index.mpd?token={shown}"):
            assert (answer.status, answer.body) == (403, reason)


async def test_a_token_ends_while_it_is_used(tmp_path: Path) -> None:
    made = channel(tmp_path)
    async with serving(made, access=TOKENS) as site:
        ends = site.clock.now() // 1_000_000 + 2
        path = f"/t/{token(expires=ends)}/live/tv/{SEGMENT}"
        for answer in await both(site, path):
            assert answer.body == WHOLE
        site.clock.advance_to(made.grid.micros(made.journal.timeline.edge + 4))
        for answer in await both(site, path):
            assert answer.body == b"the token has expired\n"


async def test_a_token_leads_on_to_a_view(tmp_path: Path) -> None:
    async with serving(channel(tmp_path), access=TOKENS) as site:
        for path in (
            f"/live/tv/index.m3u8?start=1767225602&token={token()}",
            f"/t/{token()}/live/tv/index.m3u8?start=1767225602",
        ):
            same = request(f"GET {path}")
            for answer in [*await both(site, path), *await site.raw(same, same, same)]:
                assert answer.status == 302
                assert answer.one("Location").startswith(f"/t/{token()}/live/tv/from/")
                assert answer.one("Cache-Control") == "no-store"


@pytest.mark.parametrize("size", [1000, BIG])
async def test_only_a_cdn_of_the_channel_is_served(tmp_path: Path, size: int) -> None:
    made = channel(tmp_path, segments=1)
    made.whole(made.first + 1, size=size)
    async with serving(made, access=CDNS) as site:
        for file in ("index.mpd", f"v0/{made.first + 1}.m4s"):
            for answer in await both(site, f"/live/tv/{file}", f"X-CDN-Secret: {SECRET}"):
                assert answer.status == 200
            for header_lines in ((), ("X-CDN-Secret: wrong",), (f"X-CDN-Secret: {SECRET}x",)):
                for answer in await both(site, f"/live/tv/{file}", *header_lines):
                    assert (answer.status, answer.body) == (403, b"not a CDN of this channel\n")


async def test_tokens_and_secrets_are_not_logged(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    options = ", access_log: full"
    both_of_them = f"{{token_keys: [{KEY}], cdn_secrets: {{north: {SECRET}}}}}"
    headers: Mapping[str, str] = {"X-CDN-Secret": SECRET}
    async with serving(channel(tmp_path), options=options, access=both_of_them) as site:
        for path in (f"/t/{token()}/live/tv/index.mpd", f"/live/tv/index.mpd?token={token()}"):
            assert (await site.ask(path, headers=headers)).status == 200
            assert (await site.ask(path)).status == 403
    log = capfd.readouterr().err
    assert log.count('"path":"/live/tv/index.mpd"') == 4
    assert token().split(".")[0] not in log
    assert SECRET not in log
