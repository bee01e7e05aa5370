from pathlib import Path

import pytest

from tests.support.channel import FIRST, Packager, channel, packager
from tests.support.site import check, request, serving

LONG_AGO = "Thu, 01 Jan 1970 00:00:00 GMT"
ASKED: dict[str, tuple[int, str, str, dict[str, str]]] = {
    "multivariant playlist": (200, "GET", "index.m3u8", {}),
    "media playlist": (200, "GET", "v0/index.m3u8", {}),
    "MPD": (200, "GET", "index.mpd", {}),
    "zipped MPD": (200, "GET", "index.mpd", {"Accept-Encoding": "gzip"}),
    "Smooth manifest": (200, "GET", "index.ism/Manifest", {}),
    "init section": (200, "GET", "v0/init-0faa60ec.mp4", {}),
    "segment": (200, "GET", f"v0/{FIRST}.m4s", {}),
    "chunk": (200, "GET", f"a0/{FIRST}.1.m4s", {}),
    "time": (200, "GET", "time", {}),
    "health": (200, "GET", "/healthz", {}),
    "head": (200, "HEAD", f"v0/{FIRST}.m4s", {}),
    "part": (206, "GET", f"v0/{FIRST}.m4s", {"Range": "bytes=0-9"}),
    "head of a part": (200, "HEAD", f"v0/{FIRST}.m4s", {"Range": "bytes=0-9"}),
    "another segment": (412, "GET", f"v0/{FIRST}.m4s", {"If-Match": '"x"'}),
    "another manifest": (412, "GET", "index.mpd", {"If-Match": '"x"'}),
    "changed segment": (412, "GET", f"v0/{FIRST}.m4s", {"If-Unmodified-Since": LONG_AGO}),
    "changed manifest": (412, "GET", "index.mpd", {"If-Unmodified-Since": LONG_AGO}),
    "known segment": (304, "GET", f"v0/{FIRST}.m4s", {"If-None-Match": "*"}),
    "known manifest": (304, "GET", "index.mpd", {"If-None-Match": "*"}),
    "bad name": (400, "GET", "v0/x.m4s", {}),
    "bad channel": (400, "GET", "/live/TV/index.mpd", {}),
    "long path": (400, "GET", "v0/" + "x" * 4000, {}),
    "outside": (404, "GET", "/favicon.ico", {}),
    "root": (404, "GET", "/", {}),
    "no channel": (404, "GET", "/live/radio/index.mpd", {}),
    "no track": (404, "GET", f"v9/{FIRST}.m4s", {}),
    "no version": (404, "GET", "v0/init-ffffffff.mp4", {}),
    "far future": (404, "GET", f"v0/{FIRST + 99}.m4s", {}),
    "no level": (404, "GET", "index.ism/QualityLevels(7)/Fragments(video=1)", {}),
    "post": (405, "POST", "index.mpd", {}),
    "delete": (405, "DELETE", f"v0/{FIRST}.m4s", {}),
    "gone": (410, "GET", f"v0/{FIRST - 1}.m4s", {}),
    "fragment of the future": (
        412,
        "GET",
        f"index.ism/QualityLevels(1000000)/Fragments(video={10**17})",
        {},
    ),
    "outside of the body": (416, "GET", f"v0/{FIRST}.m4s", {"Range": "bytes=9999-"}),
    "no media": (503, "GET", f"a0/{FIRST + 1}.m4s", {}),
    "preflight": (204, "OPTIONS", "index.mpd", {"Access-Control-Request-Method": "GET"}),
}


def fill(made: Packager) -> Packager:
    """Publish what `ASKED` asks for."""
    made.begin(0, FIRST - 1)
    for number in range(FIRST - 1, FIRST + 3):
        made.whole(number)
    made.trim(FIRST)
    made.path("a0", FIRST + 1).unlink()
    return made


# Every answer.


@pytest.mark.parametrize("name", ASKED)
async def test_every_response_has_the_headers_for_cdns(tmp_path: Path, name: str) -> None:
    status, method, path, headers = ASKED[name]
    async with serving(fill(packager(tmp_path))) as site:
        answer = await site.ask(path, method, headers)
    assert answer.status == status
    check(answer, bare=method == "HEAD")
    assert ("Retry-After" in answer.headers) == (status == 503)


@pytest.mark.parametrize("name", [n for n, (_, method, *_) in ASKED.items() if method == "GET"])
async def test_a_head_is_a_get_without_a_body(tmp_path: Path, name: str) -> None:
    status, _, path, headers = ASKED[name]
    ranged = "Range" in headers  # which is of GET alone: RFC 9110 section 14.2
    status = 200 if ranged else status
    async with serving(fill(packager(tmp_path))) as site:
        head = await site.ask(path, "HEAD", headers)
        get = await site.ask(path, "GET", {} if ranged else headers)
    assert (get.status, head.status) == (status, status)
    assert head.lasting == get.lasting
    assert head.body == b""
    assert len(get.body) == int(head.headers.get("Content-Length", "0"))


@pytest.mark.parametrize("name", ASKED)
async def test_a_query_never_changes_the_answer(tmp_path: Path, name: str) -> None:
    status, method, path, headers = ASKED[name]
    async with serving(fill(packager(tmp_path))) as site:
        plain = await site.ask(path, method, headers)
        for query in (
            "?",
            "?cmcd=br%3D1&sid=%22x%22",
            "?a=b&a=c#d",
            "?%ff=%00",
            "?x=" + "y" * 3000,
        ):
            answer = await site.ask(path + query, method, headers)
            assert (answer.status, answer.body) == (status, plain.body)
            assert answer.lasting == plain.lasting


async def test_two_origins_of_a_journal_answer_alike(tmp_path: Path) -> None:
    made = packager(tmp_path)
    async with serving(made) as early:
        fill(made)
        await early.until(f"v0/{FIRST + 2}.m4s")
        async with serving(made) as late:
            early.clock.advance_to(late.clock.now())
            for _, method, path, headers in ASKED.values():
                one = await early.ask(path, method, headers)
                two = await late.ask(path, method, headers)
                assert (one.status, one.body) == (two.status, two.body)
                assert one.lasting == two.lasting


@pytest.mark.parametrize("given", ["1", "a-b_c.d:e/f", "0" * 128, "{%22}", "Root=1-67891233-abc"])
async def test_a_request_id_is_echoed(tmp_path: Path, given: str) -> None:
    async with serving(channel(tmp_path)) as site:
        for path in ("index.mpd", "nothing"):
            answer = await site.ask(path, headers={"X-Request-ID": given})
            assert answer.one("X-Request-ID") == given


@pytest.mark.parametrize(
    "given", ["", " ", "a b", "a\tb", "0" * 129, "\xe9", "a,\xa0b", "x" * 8000]
)
async def test_a_hostile_request_id_is_replaced(tmp_path: Path, given: str) -> None:
    path = f"/live/tv/v0/{FIRST}.m4s"
    async with serving(channel(tmp_path)) as site:
        (answer,) = await site.raw(request(f"GET {path}", f"X-Request-ID: {given}"))
        (other,) = await site.raw(request(f"GET {path}", f"X-Request-ID: {given}"))
    check(answer)
    assert answer.status == 200
    assert answer.one("X-Request-ID") not in (given, other.one("X-Request-ID"))


async def test_a_preflight_lets_players_ask_for_ranges(tmp_path: Path) -> None:
    async with serving(channel(tmp_path)) as site:
        answer = await site.ask(
            f"v0/{FIRST}.m4s",
            "OPTIONS",
            {
                "Origin": "https://player.example",
                "Access-Control-Request-Method": "GET",
                "Access-Control-Request-Headers": "range",
            },
        )
    assert answer.status == 204
    assert "GET" in answer.one("Access-Control-Allow-Methods")
    assert "range" in answer.one("Access-Control-Allow-Headers").lower()
    assert answer.one("Access-Control-Allow-Origin") == "*"
