import gzip
import re
from pathlib import Path

import m3u8
import pytest

from packager.timeline.records import SourceEnded
from packager.timing.ticks import MICROS, UtcMicros
from tests.support.channel import FIRST, MANIFESTS, WHOLE, channel
from tests.support.made_feeds import START
from tests.support.site import check, origin, request, serving


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("index.m3u8", "application/vnd.apple.mpegurl"),
        ("v0/index.m3u8", "application/vnd.apple.mpegurl"),
        ("index.mpd", "application/dash+xml"),
        ("index.ism/Manifest", "text/xml"),
    ],
)
async def test_a_live_manifest(tmp_path: Path, path: str, kind: str) -> None:
    async with serving(channel(tmp_path)) as site:
        answer = await site.ask(path)
    assert answer.one("Content-Type").partition(";")[0] == kind
    assert answer.one("Cache-Control") == "public, max-age=1"
    assert answer.one("Vary") == "Accept-Encoding"
    assert re.fullmatch(r'"[!#-~]+"', answer.tag)


@pytest.mark.parametrize("path", MANIFESTS)
async def test_a_manifest_grows_with_the_journal(tmp_path: Path, path: str) -> None:
    made = channel(tmp_path)
    async with serving(made) as site:
        before = await site.ask(path)
        made.whole(FIRST + 3, size=2000)
        await site.until(f"a0/{FIRST + 3}.m4s")
        after = await site.ask(path, headers={"If-None-Match": before.tag})
    assert after.status == 200
    assert after.tag != before.tag
    assert after.body != before.body


async def test_all_media_in_a_playlist_can_be_fetched(tmp_path: Path) -> None:
    async with serving(channel(tmp_path)) as site:
        playlist = m3u8.loads((await site.ask("v0/index.m3u8")).body.decode())
        names = [segment.uri for segment in playlist.segments]
        assert names == [f"{number}.m4s" for number in range(FIRST, FIRST + 3)]
        for name in [*names, playlist.segment_map[0].uri]:
            assert (await site.ask(f"v0/{name}")).status == 200


@pytest.mark.parametrize("path", MANIFESTS)
async def test_the_manifest_of_an_ended_channel(tmp_path: Path, path: str) -> None:
    made = channel(tmp_path)
    made.note(SourceEnded(START))
    long_after = UtcMicros(START + 10**6 * MICROS)
    async with origin(tmp_path, long_after) as site:
        answer = await site.ask(path)
    assert answer.status == 200
    assert answer.one("Cache-Control") == "public, max-age=3600"


@pytest.mark.parametrize("path", MANIFESTS)
async def test_an_edge_that_goes_stale_is_not_handed_out_until_it_goes_on(
    tmp_path: Path, path: str
) -> None:
    made = channel(tmp_path)
    async with serving(made) as site:
        assert (await site.ask(path)).status == 200
        site.clock.advance_to(made.grid.micros(FIRST + 12))
        stale = await site.ask(path)
        assert stale.status == 503
        assert int(stale.one("Retry-After")) >= 1
        check(stale)
        assert (await site.ask(f"v0/{FIRST}.m4s")).status == 200
        made.begin(1, FIRST + 10)
        made.whole(FIRST + 10)
        made.whole(FIRST + 11)
        await site.until(path)


@pytest.mark.parametrize("path", MANIFESTS)
async def test_a_channel_without_data_is_not_there_yet(tmp_path: Path, path: str) -> None:
    async with origin(tmp_path, START) as site:
        answer = await site.ask(path)
        assert answer.status == 503
        assert int(answer.one("Retry-After")) >= 1
        check(answer)
        made = channel(tmp_path)
        site.clock.advance_to(made.grid.micros(FIRST + 4))
        await site.until(path)


@pytest.mark.parametrize(
    "accepted",
    [
        *["gzip", "gzip, br", "br;q=1, gzip;q=0.5", "*", "GZIP", "deflate , gzip ;q=1.0", "x-gzip"],
        *[
            "gzip, identity;q=0.5",
            "gzip;q=0.5, identity;q=0.5",
            "identity;q=0.1, *",
            "gzip; q=0.001",
        ],
    ],
)
async def test_a_manifest_is_gzipped_where_gzip_is_accepted(tmp_path: Path, accepted: str) -> None:
    async with serving(channel(tmp_path)) as site:
        for path in MANIFESTS:
            plain = await site.ask(path)
            zipped = await site.ask(path, headers={"Accept-Encoding": accepted})
            assert zipped.one("Content-Encoding") == "gzip"
            assert gzip.decompress(zipped.body) == plain.body
            assert zipped.tag != plain.tag
            assert zipped.one("Vary") == "Accept-Encoding"
            assert "Content-Encoding" not in plain.headers
            known = {"Accept-Encoding": accepted, "If-None-Match": zipped.tag}
            assert (await site.ask(path, headers=known)).status == 304
            known = {"Accept-Encoding": accepted, "If-None-Match": plain.tag}
            assert (await site.ask(path, headers=known)).status == 200


# RFC 9110 section 12.5.3: a named coding takes precedence over `*`, in any order.
@pytest.mark.parametrize(
    "accepted",
    [
        *["", "identity", "br", "gzip;q=0", "gzip; q=0.000", "*;q=0", "GZIP;Q=0", "xgzip"],
        *[
            "gzip;q=0, *",
            "*, gzip;q=0",
            "br, deflate",
            "gzip;q=0.5, identity",
            "gzip;q=x",
            "gzip;q=2",
        ],
    ],
)
async def test_a_manifest_is_plain_where_gzip_is_not_accepted(
    tmp_path: Path, accepted: str
) -> None:
    async with serving(channel(tmp_path)) as site:
        plain = await site.ask("index.mpd")
        answer = await site.ask("index.mpd", headers={"Accept-Encoding": accepted})
    assert "Content-Encoding" not in answer.headers
    assert (answer.body, answer.tag) == (plain.body, plain.tag)


async def test_accept_encoding_may_have_several_lines(tmp_path: Path) -> None:
    async with serving(channel(tmp_path)) as site:
        for lines, zipped in ((("br", "gzip"), True), (("*", "gzip;q=0"), False)):
            header_lines = [f"Accept-Encoding: {line}" for line in lines]
            (answer,) = await site.raw(request("GET /live/tv/index.mpd", *header_lines))
            assert ("Content-Encoding" in answer.headers) == zipped


async def test_media_is_never_zipped(tmp_path: Path) -> None:
    async with serving(channel(tmp_path)) as site:
        answer = await site.ask(f"v0/{FIRST}.m4s", headers={"Accept-Encoding": "gzip"})
    assert (answer.body, "Content-Encoding" in answer.headers) == (WHOLE, False)
