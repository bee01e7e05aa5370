from pathlib import Path

import pytest

from tests.support.channel import FIRST, WHOLE, a_feed, channel, packager, publish
from tests.support.site import check, request, serving

SECRET = b"not for the public"
STRANGE = [
    "/live/tv/../../secret",
    "/live/tv/v0/../../../secret",
    "/live/../secret",
    "/../secret",
    "/live/tv/v0/../journal",
    "/live/tv/./journal",
    "/live/tv/%2e%2e/%2e%2e/secret",
    "/live/tv/%2e%2e%2f%2e%2e%2fsecret",
    "/live/tv/..%2f..%2fsecret",
    "/live/tv/%252e%252e/secret",
    "/live/tv/..%5c..%5csecret",
    "/live/%2e%2e/secret/x.m4s",
    "/live/../v0/1.m4s",
    "/live/tv/../1.m4s",
    "/live/tv/%2e%2e/init-00000000.mp4",
    "/live/%00/index.mpd",
    "/live/tv/v0/%00.m4s",
    "/live/tv/v0/1.m4s%00",
    "/live/tv/v0/%0d%0aX-Evil:%201.m4s",
    "/live/tv%0a/index.mpd",
    "/live/tv/v0/%ff%fe.m4s",
    "/live/tv/v0/%c3%a9.m4s",
    "/live/tv/v0/%ed%a0%80.m4s",
    "/live/tv/v0/%zz.m4s",
    "/live/tv/v0/%.m4s",
    "/live/tv/v0/%d9%a3.m4s",
    "/live//etc/passwd",
    "//etc/passwd",
    "///secret",
    "/live/tv//v0//1.m4s",
    "/live/tv/journal",
    "/live/tv/status.json",
    "/live/tv/v0/",
    "/live/tv/index.ism/../journal",
    "/live/tv/index.ism/QualityLevels(1)/Fragments(video=1)/../../../journal",
    "/live/.metrics/journal",
    "/live/tv/v0/1.m4s;a=b",
    "/live/tv/v0/" + "../" * 60 + "secret",
    "/live/tv/v0/" + "a/" * 2000,
    "/" + "%41" * 2000,
    "/live/tv/v0/" + "9" * 500 + ".m4s",
    "/live/tv/index.ism/QualityLevels(" + "9" * 300 + ")/Fragments(video=1)",
    "/live/tv/index.mpd?" + "x" * 8000,
]


@pytest.mark.parametrize("path", STRANGE)
async def test_no_path_leads_out_of_the_contract(tmp_path: Path, path: str) -> None:
    data = tmp_path / "data"
    made = channel(data)
    for place in (tmp_path, data, data / "tv", data / "tv" / "v0"):
        (place / "secret").write_bytes(SECRET)
        (place / "1.m4s").write_bytes(SECRET)
        (place / "init-00000000.mp4").write_bytes(SECRET)
    async with serving(made) as site:
        (answer,) = await site.raw(request(f"GET {path}"))
    check(answer)
    assert answer.status == 200 if "?" in path else answer.status in (400, 404)
    assert SECRET not in answer.body
    assert b'["header"' not in answer.body
    assert "X-Evil" not in answer.headers


# RFC 3986 section 6.2.2.2 would let the origin read %74 as t. No player writes it so.
# Each spelling that the origin serves is a key of its own in a CDN: an object has one path.
@pytest.mark.parametrize(
    "path",
    [
        f"/live/tv%2Fv0%2F{FIRST}.m4s",
        f"/live/tv/v0%2f{FIRST}.m4s",
        "/live/tv%2Findex.mpd",
        "/live/tv%5Cindex.mpd",
        f"/live/%74v/v0/{FIRST}.m4s",
        f"/live/tv/v0/{FIRST}%2Em4s",
        "/live/tv/index%2Empd",
        "/live/tv/index.ism/%4Danifest",
        "/%6Cive/tv/index.mpd",
        "/live/tv/index%2Em3u8",
        "/live/./tv/index.mpd",
        "/live/tv/./index.mpd",
        "/live/x/../tv/index.mpd",
        "/live/tv/v0/../index.mpd",
        "/live//tv/index.mpd",
        "//live/tv/index.mpd",
        "/live/tv//index.mpd",
        "/live/tv/index.mpd/",
        "/live\\tv\\index.mpd",
        "/live/tv/index.mpd%00",
        "/live/tv/index.mpd%20",
        "/live/tv/index.mpd;x",
        "/live/tv/index.mpd%3Fx",
        "/%68ealthz",
    ],
)
async def test_an_object_has_one_path(tmp_path: Path, path: str) -> None:
    async with serving(channel(tmp_path)) as site:
        (answer,) = await site.raw(request(f"GET {path}"))
    assert answer.status in (400, 404)
    check(answer)


async def test_a_path_may_contain_a_host(tmp_path: Path) -> None:
    async with serving(channel(tmp_path)) as site:
        (whole,) = await site.raw(request(f"GET http://a.example/live/tv/v0/{FIRST}.m4s?x"))
        (coded,) = await site.raw(request("GET http://a.example/live/tv%2Findex.mpd"))
    assert whole.body == WHOLE
    assert coded.status == 404


async def test_the_parentheses_of_smooth_may_be_encoded(tmp_path: Path) -> None:
    made = packager(tmp_path)
    publish(made, a_feed())
    async with serving(made) as site:
        path = made.fragment(0)
        coded = path.replace("(", "%28").replace(")", "%29").replace("=", "%3D")
        assert (await site.ask(coded)).body == (await site.ask(path)).body
