"""Sources that cannot be had or packaged, beside others that can."""

import asyncio
import subprocess
from fractions import Fraction

import pytest

from packager.clock import monotonic_micros
from packager.errors import FeedError
from packager.feed.advice import Facts
from packager.feed.container import Container
from packager.ffmpeg.command import COPYABLE
from packager.runtime.feed import Feed, penalty
from packager.runtime.feeds import Feeds
from packager.runtime.sources.line import Taker
from packager.source import LossConfig, PatternSource, UdpSource
from packager.ticks import MICROS
from tests.support.lines import FFMPEG

OLD = ("-c:v", "mpeg2video", "-c:a", "mp2")
NEW = ("-c:v", "libx264", "-pix_fmt", "yuv420p", "-c:a", "aac")


class NoLine:
    """Nobody sends; the test does."""

    async def run(self, taker: Taker) -> None:
        raise FeedError(f"not wanted by {taker}")


def material(*codecs: str) -> bytes:
    inputs = ("-f", "lavfi", "-i", "testsrc2=s=160x90:r=25", "-f", "lavfi", "-i", "sine=r=48000")
    words = (FFMPEG, "-v", "error", *inputs, "-t", "2", *codecs, "-g", "12", "-f", "mpegts", "-")
    return subprocess.run(words, check=True, capture_output=True).stdout


def feed_of(facts: Facts) -> Feed:
    return Feed(UdpSource(port=9), NoLine(), LossConfig(no_data=Fraction(60)), facts, FFMPEG)


async def sent(feed: Feed, data: bytes) -> None:
    """Send `data` at a pace, as an encoder does, and return once its streams are judged."""
    feed.connected(Container.TS, "somebody")
    for at in range(0, len(data), 4 * 188):
        feed.received(data[at : at + 4 * 188])
        await asyncio.sleep(0.01)
    async with asyncio.timeout(30):
        while feed.info is None and not feed.complaint:
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("codecs", "copied", "best"),
    [(OLD, frozenset(COPYABLE), 1), (OLD, None, 0), (NEW, frozenset(COPYABLE), 0)],
)
async def test_what_cannot_be_passed_through_is_never_healthy(
    codecs: tuple[str, ...], copied: frozenset[str] | None, best: int
) -> None:
    feed = feed_of(Facts(copied=copied))
    feeds = Feeds([feed, PatternSource()], LossConfig())
    data = await asyncio.to_thread(material, *codecs)
    await sent(feed, data)
    assert feeds.best(None) == best
    expected = "mpeg2video cannot be passed through: encode it with a ladder" if best else ""
    assert feed.complaint == expected


async def test_what_is_said_of_one_connection_does_not_shun_the_next() -> None:
    feed = feed_of(Facts())
    data = await asyncio.to_thread(material, *NEW)
    await sent(feed, data)
    first = feed.connections
    feed.disconnected("gone")
    await sent(feed, data)
    feeds = Feeds([feed], LossConfig())
    feed.shun("nothing came out of it", first)
    assert feeds.best(None) == 0
    feed.shun("nothing came out of it", feed.connections)
    assert feeds.best(None) is None
    assert feeds.complaint.endswith("nothing came out of it")


async def test_who_begins_after_a_pause_begins_after_it() -> None:
    feed = feed_of(Facts())
    data = await asyncio.to_thread(material, *NEW)
    await sent(feed, data)
    before = feed.newest
    assert feed.beginning(before) is not None
    feed.newest -= 60 * MICROS
    feed.received(data[: 50 * 188])
    beginning = feed.beginning(before)
    assert beginning is not None
    assert beginning.came > before


def test_it_is_tried_less_and_less() -> None:
    assert [penalty(times) // MICROS for times in (0, 1, 2, 6, 99)] == [10, 20, 40, 640, 640]


def test_a_file_that_is_not_there_gives_way() -> None:
    feeds = Feeds([PatternSource(), PatternSource()], LossConfig())
    assert feeds.best(None) == 0
    feeds.shun(0)
    assert feeds.best(None) == 1
    feeds.shun(1)
    assert feeds.best(None) is None


@pytest.mark.parametrize(
    ("program", "said"),
    [
        (None, "no picture has begun after 5 s"),
        (7, "no picture of programme 7 has begun after 5 s"),
    ],
)
async def test_it_is_told_that_nothing_in_it_is_a_picture(program: int | None, said: str) -> None:
    source = UdpSource(port=9, program=program)
    feed = Feed(source, NoLine(), LossConfig(), Facts(), FFMPEG)
    feed.connected(Container.TS, "somebody")
    feed.received(b"\x47" * 188 * 10)
    feed.look(monotonic_micros())
    assert not feed.complaint
    feed.look(monotonic_micros() + 6 * MICROS)
    assert feed.complaint == said
