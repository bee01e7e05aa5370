import os
import re
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest

from packager.timing.ticks import MICROS
from tests.support.channel import FIRST, a_feed, channel, packager, payload, publish
from tests.support.made_feeds import START
from tests.support.site import check, request, serving
from tests.support.strategies import init_data


@pytest.mark.parametrize(
    ("path", "kind", "body"),
    [
        ("v0/init-0faa60ec.mp4", "video/mp4", init_data(0)),
        ("a0/init-0faa60ec.mp4", "audio/mp4", init_data(0)),
        (f"v0/{FIRST}.m4s", "video/mp4", payload("v0", FIRST, 0) + payload("v0", FIRST, 1)),
        (f"a0/{FIRST}.m4s", "audio/mp4", payload("a0", FIRST, 0) + payload("a0", FIRST, 1)),
        (f"v0/{FIRST + 1}.0.m4s", "video/mp4", payload("v0", FIRST + 1, 0)),
        (f"v0/{FIRST + 1}.1.m4s", "video/mp4", payload("v0", FIRST + 1, 1)),
    ],
)
async def test_media(tmp_path: Path, path: str, kind: str, body: bytes) -> None:
    async with serving(channel(tmp_path)) as site:
        answer = await site.ask(path)
    assert (answer.status, answer.body) == (200, body)
    assert answer.one("Content-Type") == kind
    assert answer.one("Cache-Control") == "public, max-age=31536000, immutable"
    assert answer.one("Accept-Ranges") == "bytes"
    assert re.fullmatch(r'"[!#-~]+"', answer.tag)
    assert parsedate_to_datetime(answer.one("Last-Modified")).timestamp() * MICROS < START + 10**7


async def test_a_segment_larger_than_any_buffer(tmp_path: Path) -> None:
    made = packager(tmp_path)
    made.begin(0, FIRST)
    made.whole(FIRST, size=3_000_001)
    whole = payload("v0", FIRST, 0, 3_000_001) + payload("v0", FIRST, 1, 3_000_001)
    async with serving(made) as site:
        assert (await site.ask(f"v0/{FIRST}.m4s")).body == whole
        assert (await site.ask(f"v0/{FIRST}.1.m4s")).body == whole[3_000_001:]
        headers = {"Range": "bytes=262143-5000000"}
        assert (await site.ask(f"v0/{FIRST}.m4s", headers=headers)).body == whole[262_143:5_000_001]


async def test_bytes_behind_the_last_record_are_never_served(tmp_path: Path) -> None:
    made = channel(tmp_path)
    with made.path("v0", FIRST).open("ab") as file:
        file.write(b"left by a crash")
    async with serving(made) as site:
        answer = await site.ask(f"v0/{FIRST}.m4s")
        tail = await site.ask(f"v0/{FIRST}.m4s", headers={"Range": "bytes=-5"})
    assert answer.body == payload("v0", FIRST, 0) + payload("v0", FIRST, 1)
    assert tail.body == answer.body[-5:]


async def test_a_channel_that_is_not_configured_is_not_served(tmp_path: Path) -> None:
    made = packager(tmp_path, name="radio")
    made.begin(0, FIRST)
    made.whole(FIRST)
    async with serving(made) as site:
        for file in ("index.mpd", f"v0/{FIRST}.m4s", "v0/init-0faa60ec.mp4"):
            assert (await site.ask(f"/live/radio/{file}")).status == 404


async def test_a_chunk_has_the_same_tag_before_and_after_its_segment_is_whole(
    tmp_path: Path,
) -> None:
    made = channel(tmp_path)
    number = FIRST + 3
    async with serving(made) as site:
        made.chunk("v0", number, 0)
        before = await site.until(f"v0/{number}.0.m4s")
        made.chunk("v0", number, 1)
        made.end("v0", number)
        await site.until(f"v0/{number}.m4s")
        after = await site.ask(f"v0/{number}.0.m4s")
    assert (after.body, after.lasting) == (before.body, before.lasting)


# Media that the journal names and the disk has not.


def damage(path: Path, how: str) -> None:
    size = path.stat().st_size
    if how == "missing":
        path.unlink()
    elif how == "a folder":
        path.unlink()
        path.mkdir()
    else:
        os.truncate(path, {"empty": 0, "cut short": size // 3, "a byte short": size - 1}[how])


DAMAGED = ["missing", "empty", "cut short", "a byte short", "a folder"]


@pytest.mark.parametrize("how", DAMAGED)
@pytest.mark.parametrize("size", [1000, 1_500_000])
async def test_a_segment_that_cannot_be_read_is_503(tmp_path: Path, how: str, size: int) -> None:
    made = packager(tmp_path)
    made.begin(0, FIRST)
    made.whole(FIRST, size=size)
    damage(made.path("v0", FIRST), how)
    async with serving(made) as site:
        for file, headers in (
            (f"v0/{FIRST}.m4s", {}),
            (f"v0/{FIRST}.1.m4s", {}),
            (f"v0/{FIRST}.m4s", {"Range": "bytes=-9"}),
        ):
            (answer,) = await site.raw(
                request(f"GET /live/tv/{file}", *(f"{name}: {v}" for name, v in headers.items()))
            )
            assert answer.status == 503
            check(answer)
            assert int(answer.one("Retry-After")) >= 1
        assert (await site.ask(f"a0/{FIRST}.m4s")).status == 200


async def test_a_head_of_a_segment_that_is_missing_is_503(tmp_path: Path) -> None:
    made = channel(tmp_path)
    damage(made.path("v0", FIRST), "missing")
    async with serving(made) as site:
        assert (await site.ask(f"v0/{FIRST}.m4s", "HEAD")).status == 503


@pytest.mark.parametrize("how", DAMAGED)
async def test_an_init_section_that_cannot_be_read_is_503(tmp_path: Path, how: str) -> None:
    made = channel(tmp_path)
    damage(made.folder / "v0" / "init-0faa60ec.mp4", how)
    async with serving(made) as site:
        answer = await site.ask("v0/init-0faa60ec.mp4")
    assert answer.status == 503
    check(answer)


@pytest.mark.parametrize("how", [*DAMAGED, "no media"])
async def test_a_fragment_of_a_segment_that_cannot_be_read_is_503(tmp_path: Path, how: str) -> None:
    made = packager(tmp_path)
    publish(made, a_feed())
    path = made.path("v0", made.journal.timeline.periods[0].number)
    if how == "no media":
        path.write_bytes(bytes(path.stat().st_size))
    else:
        damage(path, how)
    async with serving(made) as site:
        answer = await site.ask(made.fragment(0))
        assert answer.status == 503
        check(answer)
        assert (await site.ask(made.fragment(1))).status == 200
