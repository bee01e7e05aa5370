import asyncio
from pathlib import Path
from struct import pack

from lxml import etree

from packager.cmaf.boxes import children, find
from packager.timeline.records import SegmentEnded, SourceEnded
from packager.timing.smooth_time import span
from packager.timing.ticks import MICROS, UtcMicros
from tests.support.channel import FIRST, QUICK, a_feed, channel, go_on, packager, publish
from tests.support.made_feeds import START
from tests.support.site import SOON, Answer, check, serving


def fragments_of(manifest: Answer) -> list[str]:
    """The paths of the video fragments that a Smooth manifest names."""
    stream = next(
        s for s in etree.fromstring(manifest.body).iter("StreamIndex") if s.get("Type") == "video"
    )
    level = next(stream.iter("QualityLevel"))
    form = stream.get("Url", "").replace("{bitrate}", level.get("Bitrate", ""))
    paths, time = [], 0
    for entry in stream.iter("c"):
        time = int(entry.get("t", time))
        for _ in range(int(entry.get("r", "1"))):
            paths.append("index.ism/" + form.replace("{start time}", str(time)))
            time += int(entry.get("d", ""))
    return paths


async def test_a_fragment_has_its_own_time_and_that_of_the_next(tmp_path: Path) -> None:
    made = packager(tmp_path)
    publish(made, a_feed())
    segments = made.journal.timeline.tracks["v0"].segments
    track = made.journal.timeline.latest("v0")
    assert track is not None
    async with serving(made) as site:
        paths = fragments_of(await site.ask("index.ism/Manifest"))
        assert len(paths) == len(segments) - 1
        for path, segment, after in zip(paths, segments[:-1], segments[1:], strict=True):
            answer = await site.ask(path)
            check(answer)
            assert answer.status == 200
            assert answer.one("Content-Type") == "video/mp4"
            assert answer.one("Cache-Control") == "public, max-age=31536000, immutable"
            assert [b.type for b in children(answer.body, 0, len(answer.body))] == [
                b"moof",
                b"mdat",
            ]
            find(answer.body, 0, len(answer.body), b"moof", b"traf", b"uuid")
            assert pack(">QQ", *span(segment.start, segment.end, track.timescale)) in answer.body
            assert pack(">BQQ", 1, *span(after.start, after.end, track.timescale)) in answer.body


async def test_a_fragment_has_parts_and_tags(tmp_path: Path) -> None:
    made = packager(tmp_path)
    publish(made, a_feed())
    async with serving(made) as site:
        path = made.fragment(0)
        whole = await site.ask(path)
        part = await site.ask(path, headers={"Range": "bytes=8-15"})
        known = await site.ask(path, headers={"If-None-Match": whole.tag})
        head = await site.ask(path, "HEAD")
    assert (part.status, part.body) == (206, whole.body[8:16])
    assert (known.status, known.body) == (304, b"")
    assert (head.status, head.lasting) == (200, whole.lasting)


async def test_the_newest_fragment_is_held_until_its_successor_is_there(tmp_path: Path) -> None:
    played = a_feed()
    last = [place for place, r in enumerate(played.records) if isinstance(r, SegmentEnded)][-2]
    made = packager(tmp_path)
    publish(made, played, stop=last)
    async with serving(made) as site, asyncio.timeout(SOON):
        asking = await site.held(made.fragment(2))
        publish(made, played, start=last)
        assert (await asking).status == 200


async def test_a_fragment_that_is_not_produced_is_412(tmp_path: Path) -> None:
    made = channel(tmp_path, QUICK)
    async with serving(made) as site, asyncio.timeout(SOON):
        for index in (2, 3, 4, 99):
            answer = await site.ask(made.fragment(index))
            check(answer)
            assert (answer.status, answer.one("Cache-Control")) == (412, "public, max-age=1")


async def test_a_fragment_in_a_hole_is_412_and_one_that_left_is_404(tmp_path: Path) -> None:
    made = channel(tmp_path)
    paths = [made.fragment(index) for index in range(9)]
    made.begin(1, FIRST + 6)
    made.whole(FIRST + 6)
    made.whole(FIRST + 7)
    made.trim(FIRST + 1)
    async with serving(made) as site:
        assert [(await site.ask(paths[index])).status for index in (0, 4)] == [404, 412]


# docs/decisions/0004: the bytes of a published fragment never change.
async def test_a_fragment_that_may_change_is_not_kept_for_ever(tmp_path: Path) -> None:
    played = a_feed()
    ends = len(played.records)
    made = packager(tmp_path)
    publish(made, played)
    made.note(SourceEnded(START))
    path = made.fragment(3)
    async with serving(made) as site:
        before = await site.ask(path)
        assert before.status == 200
        go_on(played, UtcMicros(START + 20 * MICROS))
        publish(made, played, start=ends)
        newest = made.journal.timeline.tracks["v0"].segments[-1].number
        await site.until(f"v0/{newest}.m4s")
        after = await site.ask(path)
    assert after.body == before.body or "immutable" not in before.one("Cache-Control")
