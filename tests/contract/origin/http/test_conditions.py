from pathlib import Path

import pytest

from tests.support.channel import FIRST, WHOLE, channel
from tests.support.site import check, request, serving


@pytest.mark.parametrize("form", ["{}", "W/{}", '"x", {}', '"x",W/{},"y"', "*"])
@pytest.mark.parametrize("path", [f"v0/{FIRST}.m4s", "index.m3u8", "v0/init-0faa60ec.mp4"])
async def test_a_body_with_a_matching_tag_is_not_sent_again(
    tmp_path: Path, path: str, form: str
) -> None:
    async with serving(channel(tmp_path)) as site:
        known = await site.ask(path)
        answer = await site.ask(path, headers={"If-None-Match": form.format(known.tag)})
    assert (answer.status, answer.body) == (304, b"")
    for name in ("ETag", "Cache-Control", "Last-Modified"):
        assert answer.one(name) == known.one(name)
    assert answer.headers.getall("Vary", []) == known.headers.getall("Vary", [])


async def test_a_body_that_was_not_modified_is_not_sent_again(tmp_path: Path) -> None:
    async with serving(channel(tmp_path)) as site:
        for path in (f"v0/{FIRST}.m4s", "index.m3u8"):
            known = await site.ask(path)
            conditions = {"If-Modified-Since": known.one("Last-Modified")}
            assert (await site.ask(path, headers=conditions)).status == 304
            conditions = {"If-Modified-Since": "Thu, 01 Jan 2026 00:00:00 GMT"}
            assert (await site.ask(path, headers=conditions)).status == 200


@pytest.mark.parametrize("path", [f"v0/{FIRST}.m4s", "index.m3u8", "v0/init-0faa60ec.mp4"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_only_the_wanted_is_sent(tmp_path: Path, path: str, method: str) -> None:
    async with serving(channel(tmp_path)) as site:
        known = await site.ask(path)
        for conditions, status in (
            ({"If-Match": known.tag}, 200),
            ({"If-Match": f"W/{known.tag}"}, 412),
            ({"If-Unmodified-Since": known.one("Last-Modified")}, 200),
            ({"If-Unmodified-Since": "Thu, 01 Jan 2026 00:00:00 GMT"}, 412),
            ({"If-Match": '"x"', "If-None-Match": known.tag}, 412),
        ):
            answer = await site.ask(path, method, conditions)
            assert answer.status == status, conditions
            check(answer, bare=method == "HEAD")
            # A refusal by one request's condition is not valid for the next request.
            assert (answer.one("Cache-Control") == "no-store") == (status == 412)


# RFC 9110 section 13.2.1: conditions apply to successful responses only.
async def test_a_condition_on_a_missing_object_is_404(tmp_path: Path) -> None:
    async with serving(channel(tmp_path)) as site:
        for path in (f"v0/{FIRST + 99}.m4s", "v9/index.m3u8"):
            for condition in ("If-Match", "If-None-Match"):
                assert (await site.ask(path, headers={condition: '"x"'})).status == 404


# RFC 9110 section 5.3: lines of one name are one list.
@pytest.mark.parametrize(
    ("lines", "status"),
    [
        (['If-None-Match: "x"', "If-None-Match: {}"], 304),
        (['If-Match: "x"', "If-Match: {}"], 200),
        (["Range: bytes=0-1", "Range: bytes=4-5"], 200),
    ],
)
async def test_a_header_in_several_lines(tmp_path: Path, lines: list[str], status: int) -> None:
    path = f"v0/{FIRST}.m4s"
    async with serving(channel(tmp_path)) as site:
        tag = (await site.ask(path)).tag
        header_lines = [line.format(tag) for line in lines]
        (answer,) = await site.raw(request(f"GET /live/tv/{path}", *header_lines))
    assert answer.status == status


@pytest.mark.parametrize(
    ("asked", "part"),
    [
        ("bytes=0-0", slice(0, 1)),
        ("bytes=990-1009", slice(990, 1010)),
        ("bytes=1500-", slice(1500, 2000)),
        ("bytes=1999-5000", slice(1999, 2000)),
        ("bytes=-1", slice(1999, 2000)),
        ("bytes=-5000", slice(0, 2000)),
    ],
)
async def test_a_part_of_a_segment(tmp_path: Path, asked: str, part: slice) -> None:
    async with serving(channel(tmp_path)) as site:
        whole = await site.ask(f"v0/{FIRST}.m4s")
        answer = await site.ask(f"v0/{FIRST}.m4s", headers={"Range": asked})
    check(answer)
    assert (answer.status, answer.body) == (206, WHOLE[part])
    assert answer.one("Content-Range") == f"bytes {part.start}-{part.stop - 1}/2000"
    assert answer.tag == whole.tag


async def test_a_part_of_a_chunk_counts_from_the_chunk_s_first_byte(tmp_path: Path) -> None:
    async with serving(channel(tmp_path)) as site:
        answer = await site.ask(f"v0/{FIRST}.1.m4s", headers={"Range": "bytes=10-19"})
    assert (answer.status, answer.body) == (206, WHOLE[1010:1020])
    assert answer.one("Content-Range") == "bytes 10-19/1000"


@pytest.mark.parametrize("asked", ["bytes=2000-", "bytes=2000-2001", "bytes=-0"])
async def test_no_byte_of_a_segment(tmp_path: Path, asked: str) -> None:
    async with serving(channel(tmp_path)) as site:
        answer = await site.ask(f"v0/{FIRST}.m4s", headers={"Range": asked})
    assert answer.status == 416
    assert answer.one("Content-Range") == "bytes */2000"
    check(answer)


@pytest.mark.parametrize(
    "asked", ["bytes=0-1,5-6", "bytes=5-1", "bytes=x", "bytes", "", "lines=0-1", "bytes=0-1;x"]
)
async def test_several_or_invalid_ranges_get_the_whole_body(tmp_path: Path, asked: str) -> None:
    async with serving(channel(tmp_path)) as site:
        answer = await site.ask(f"v0/{FIRST}.m4s", headers={"Range": asked})
    assert (answer.status, answer.body) == (200, WHOLE)


async def test_a_manifest_is_sent_whole(tmp_path: Path) -> None:
    async with serving(channel(tmp_path)) as site:
        whole = await site.ask("index.m3u8")
        answer = await site.ask("index.m3u8", headers={"Range": "bytes=0-1"})
    assert (answer.status, answer.body) == (200, whole.body)


@pytest.mark.parametrize(("same", "status"), [(True, 206), (False, 200)])
async def test_a_range_of_the_body_that_is_known(
    tmp_path: Path,
    same: bool,  # noqa: FBT001
    status: int,
) -> None:
    async with serving(channel(tmp_path)) as site:
        known = await site.ask(f"v0/{FIRST}.m4s")
        condition = known.tag if same else '"x"'
        headers = {"Range": "bytes=0-9", "If-Range": condition}
        answer = await site.ask(f"v0/{FIRST}.m4s", headers=headers)
    assert (answer.status, answer.body) == (status, WHOLE[:10] if same else WHOLE)
