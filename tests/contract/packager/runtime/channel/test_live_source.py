"""Sources that cannot be had or packaged, beside others that can."""

import asyncio
import subprocess
import time
from fractions import Fraction
from pathlib import Path

import pytest

from packager.config.sources import LossConfig, PatternSource, UdpSource
from packager.feed.advice import FeedRequirements
from packager.feed.report import Container
from packager.ffmpeg.inputs import PipeFeed
from packager.ffmpeg.tracks import COPYABLE
from packager.runtime.channel.encoder_run import EncoderRun, RunLeft
from packager.runtime.channel.failover import SourceFailover
from packager.runtime.channel.live_source import LiveSource, LiveSourceState, shun_backoff
from packager.runtime.channel.program import OnAirSource
from packager.runtime.ffmpeg.stdin_pipe import StdinPipe
from packager.runtime.inputs.opened import OpenedInput
from packager.runtime.storage.journal_writer import JournalWriter
from packager.runtime.storage.publisher import Publisher
from packager.timing.clock import monotonic_micros
from packager.timing.ticks import MICROS
from tests.support.channel_runs import NoLine, tiny_context, until
from tests.support.receivers import FFMPEG

OLD = ("-c:v", "mpeg2video", "-c:a", "mp2")
ON_AIR = ("-c:v", "libx264", "-pix_fmt", "yuv420p", "-c:a", "mp2")
NEW = ("-c:v", "libx264", "-pix_fmt", "yuv420p", "-c:a", "aac")


def material(*codecs: str) -> bytes:
    inputs = ("-f", "lavfi", "-i", "testsrc2=s=160x90:r=25", "-f", "lavfi", "-i", "sine=r=48000")
    words = (FFMPEG, "-v", "error", *inputs, "-t", "2", *codecs, "-g", "12", "-f", "mpegts", "-")
    return subprocess.run(words, check=True, capture_output=True).stdout


def feed_of(facts: FeedRequirements) -> LiveSource:
    return LiveSource(
        UdpSource(port=9), NoLine(), LossConfig(no_data=Fraction(60)), facts, FFMPEG, "tv"
    )


def state_of(feed: LiveSource) -> LiveSourceState:
    feed.check(monotonic_micros())
    return feed.state


async def sent(feed: LiveSource, data: bytes) -> None:
    """Send `data` at a pace, as an encoder does, and return once its streams are judged."""
    feed.connected(Container.TS, "somebody")
    for at in range(0, len(data), 4 * 188):
        feed.received(data[at : at + 4 * 188])
        await asyncio.sleep(0.01)
    await until(lambda: feed.info is not None or bool(feed.complaint))


@pytest.mark.parametrize(
    ("codecs", "copied", "best"),
    [
        (OLD, frozenset(COPYABLE), 1),
        (OLD, None, 0),
        (NEW, frozenset(COPYABLE), 0),
        (ON_AIR, frozenset(COPYABLE), 0),
    ],
)
async def test_a_feed_that_cannot_be_passed_through_is_never_healthy(
    codecs: tuple[str, ...], copied: frozenset[str] | None, best: int
) -> None:
    feed = feed_of(FeedRequirements(copied=copied))
    feeds = SourceFailover([feed, PatternSource()], LossConfig())
    data = await asyncio.to_thread(material, *codecs)
    await sent(feed, data)
    assert feeds.best(None) == best
    expected = "mpeg2video cannot be passed through: encode it with a ladder" if best else ""
    assert feed.complaint == expected


async def test_a_failure_of_one_connection_does_not_shun_the_next() -> None:
    feed = feed_of(FeedRequirements())
    data = await asyncio.to_thread(material, *NEW)
    await sent(feed, data)
    first = feed.connections
    feed.disconnected("gone")
    await sent(feed, data)
    feeds = SourceFailover([feed], LossConfig())
    feed.shun("nothing came out of it", first)
    assert feeds.best(None) == 0
    feed.shun("nothing came out of it", feed.connections)
    assert feeds.best(None) is None
    assert feeds.complaint.endswith("nothing came out of it")


async def test_a_run_after_a_pause_begins_with_media_from_after_it() -> None:
    loss = LossConfig(no_data=Fraction(1))
    feed = LiveSource(UdpSource(port=9), NoLine(), loss, FeedRequirements(), FFMPEG, "tv")
    data = await asyncio.to_thread(material, *NEW)
    await sent(feed, data)
    before = monotonic_micros()
    assert feed.start_at(before) is not None
    await until(lambda: state_of(feed) is LiveSourceState.LOST)
    feed.received(data[: 50 * 188])
    beginning = feed.start_at(before)
    assert beginning is not None
    assert beginning.arrived_at > before
    stdin = StdinPipe()
    assert not feed.attach(stdin, before)
    assert stdin.is_ending
    stdin.close()


async def test_a_pause_of_this_process_is_no_loss_of_a_feed() -> None:
    loss = LossConfig(no_data=Fraction(1))
    feed = LiveSource(UdpSource(port=9), NoLine(), loss, FeedRequirements(), FFMPEG, "tv")
    await sent(feed, await asyncio.to_thread(material, *NEW))
    before = monotonic_micros()
    time.sleep(1.2)
    assert state_of(feed) is LiveSourceState.HEALTHY
    feed.received(b"")
    assert feed.start_at(before) is not None


async def test_a_run_without_its_first_keyframe_is_no_failure_of_the_feed(tmp_path: Path) -> None:
    feed, context = feed_of(FeedRequirements()), tiny_context(tmp_path)
    await sent(feed, await asyncio.to_thread(material, *NEW))
    start = feed.start_at(monotonic_micros())
    assert start is not None
    opened = OpenedInput(PipeFeed(start.container), start.info, endless=False)
    gone = start.arrived_at - 60 * MICROS
    source = OnAirSource(opened, context.config.ladder, "udp", 0, feed, first_byte=gone)
    journal = JournalWriter(tmp_path, "tv", context.config.segment)
    try:
        publisher = Publisher("tv", tmp_path, journal, makes_room=False)
        assert await EncoderRun(context, source, publisher).run() == RunLeft(None)
    finally:
        journal.close()


def two_sounds(*options: str) -> bytes:
    """Four seconds of video with two audio streams, of which `options` change the second."""
    sounds = ("-f", "lavfi", "-i", "sine=r=48000", "-f", "lavfi", "-i", "sine=r=48000")
    maps = ("-map", "0", "-map", "1", "-map", "2")
    words = (
        *(FFMPEG, "-v", "error", "-f", "lavfi", "-i", "testsrc2=s=160x90:r=25", *sounds, *maps),
        *("-t", "4", *NEW, *options, "-g", "12", "-f", "mpegts", "-"),
    )
    return subprocess.run(words, check=True, capture_output=True).stdout


async def test_an_absent_stream_is_left_out_until_it_sends() -> None:
    feed = feed_of(FeedRequirements())
    # The second audio stream is announced from the beginning and starts after two seconds.
    data = await asyncio.to_thread(two_sounds, "-bsf:a:1", "noise=drop=lt(n\\,94)")
    feed.connected(Container.TS, "an encoder")
    counts = list[int]()
    for at in range(0, len(data), 7 * 188):
        feed.received(data[at : at + 7 * 188])
        await asyncio.sleep(4 * 7 * 188 / len(data))
        counts += [] if feed.info is None else [len(feed.info.audio)]
    await until(lambda: feed.info is not None and len(feed.info.audio) == 2)
    assert set(counts) | {2} == {1, 2}
    assert counts == sorted(counts)


async def test_a_run_begins_with_the_new_parameters_alone() -> None:
    feed = feed_of(FeedRequirements(copied=frozenset(COPYABLE), may_copy=True))
    before = await asyncio.to_thread(material, *NEW, "-ac", "2")
    after = await asyncio.to_thread(material, *NEW, "-ac", "6")
    await sent(feed, before)
    stdin = StdinPipe()
    start = feed.start_at(monotonic_micros())
    assert start is not None
    feed.attach(stdin, start.arrived_at)
    changed = monotonic_micros()
    for at in range(0, len(after), 4 * 188):
        feed.received(after[at : at + 4 * 188])
        await asyncio.sleep(0.01)
    assert state_of(feed) is LiveSourceState.HEALTHY
    await until(lambda: feed.start_at(changed) is not None)
    start = feed.start_at(changed)
    assert start is not None
    assert [audio.layout for audio in start.info.audio] == ["5.1"]
    assert start.arrived_at > changed
    assert feed.changes == 1
    assert stdin.is_ending
    stdin.close()


def test_a_source_that_fails_again_is_tried_less_often() -> None:
    backoff = shun_backoff()
    seconds = [backoff.step() // MICROS for _ in range(100)]
    assert seconds[:3] + seconds[6:7] + seconds[99:] == [10, 20, 40, 640, 640]


def test_a_file_that_is_missing_gives_way() -> None:
    feeds = SourceFailover([PatternSource(), PatternSource()], LossConfig())
    assert feeds.best(None) == 0
    feeds.shun(0)
    assert feeds.best(None) == 1
    feeds.shun(1)
    assert feeds.best(None) is None


async def test_the_label_of_a_source_has_its_place_among_all_sources() -> None:
    feed = feed_of(FeedRequirements())
    feeds = SourceFailover([PatternSource(), feed], LossConfig())
    assert [status.label for status in feeds.statuses("tv", 0)] == [f"source 2 ({feed.name})"]
    feed.problem_reported("no such host")
    assert feeds.complaint == f"source 2 ({feed.name}): no such host"


@pytest.mark.parametrize(
    ("program", "complaint"),
    [
        (None, "no video keyframe within 5 s"),
        (7, "no video keyframe of program 7 within 5 s"),
    ],
)
async def test_a_feed_without_video_is_reported(program: int | None, complaint: str) -> None:
    source = UdpSource(port=9, program=program)
    feed = LiveSource(source, NoLine(), LossConfig(), FeedRequirements(), FFMPEG, "tv")
    feed.connected(Container.TS, "somebody")
    feed.received(b"\x47" * 188 * 10)
    feed.check(monotonic_micros())
    assert not feed.complaint
    feed.check(monotonic_micros() + 6 * MICROS)
    assert feed.complaint == complaint
