"""A live feed of which some tracks are copied and others encoded."""

import asyncio
import subprocess
from fractions import Fraction
from pathlib import Path

import pytest

from packager.config.sources import LossConfig, UdpSource
from packager.feed.advice import facts_of
from packager.feed.report import Container
from packager.ffmpeg.inputs import PipeFeed
from packager.ffmpeg.tracks import COPYABLE
from packager.runtime.channel.encoder_run import EncoderRun, Outcome, RunDisconnected
from packager.runtime.channel.live_source import LiveSource
from packager.runtime.channel.program import OnAirSource
from packager.runtime.inputs.opened import OpenedInput
from packager.runtime.storage.journal_writer import JournalWriter
from packager.runtime.storage.publisher import Publisher
from packager.timeline.model import Timeline
from packager.timing.clock import monotonic_micros
from packager.timing.ticks import MICROS, micros_of
from tests.support.channel_runs import NoLine, context, until
from tests.support.receivers import FFMPEG

SECONDS = 7
PASSTHROUGH = "mode: passthrough\nsegment: 1s\n"
MIXED = """\
mode: mixed
segment: 1s
video:
  - {mode: copy, id: v0}
  - {mode: encode, id: low, width: 96, height: 54, bitrate: 80k, preset: ultrafast, threads: 1}
audio:
  - {mode: auto, id: a0}
"""


def on_air() -> bytes:
    """H.264 with B-frames and MP2 audio, as on air; a keyframe each 0.8 s."""
    picture = ("-itsoffset", "0.013", "-f", "lavfi", "-i", "testsrc2=s=160x90:r=25")
    sound = ("-f", "lavfi", "-i", "sine=r=48000")
    codecs = ("-c:v", "libx264", "-pix_fmt", "yuv420p", "-g", "20", "-bf", "2", "-c:a", "mp2")
    words = (FFMPEG, "-v", "error", *picture, *sound, "-t", str(SECONDS), *codecs)
    done = subprocess.run((*words, "-f", "mpegts", "-"), check=True, capture_output=True)
    return done.stdout


async def sent(feed: LiveSource, data: bytes) -> None:
    """Send `data` in real time, and disconnect."""
    feed.connected(Container.TS, "an encoder")
    began = monotonic_micros()
    for at in range(0, len(data), 7 * 188):
        feed.received(data[at : at + 7 * 188])
        due = began + at * SECONDS * MICROS // len(data)
        await asyncio.sleep(max(0, due - monotonic_micros()) / MICROS)
    feed.disconnected("the end")


async def played(folder: Path, ladder: str, data: bytes) -> tuple[Outcome, Timeline]:
    """The feed, packaged while it arrives."""
    channel = context(folder, ladder)
    config = channel.config
    facts = facts_of(config.ladder, config.segment, frozenset(COPYABLE))
    loss = LossConfig(no_data=Fraction(60))
    feed = LiveSource(UdpSource(port=9), NoLine(), loss, facts, FFMPEG, "tv")
    journal = JournalWriter(folder, "tv", config.segment)
    try:
        async with asyncio.TaskGroup() as tasks, asyncio.timeout(60):
            began = monotonic_micros()
            tasks.create_task(sent(feed, data))
            await until(lambda: feed.start_at(began) is not None)
            start = feed.start_at(began)
            assert start is not None
            step = Fraction(start.frame_step, MICROS)
            opened = OpenedInput(
                PipeFeed(start.container, frame_step=step), start.info, endless=False
            )
            source = OnAirSource(opened, config.ladder, "udp", 0, feed, first_byte=start.arrived_at)
            publisher = Publisher("tv", folder, journal, makes_room=False)
            outcome = await EncoderRun(channel, source, publisher).run()
            return outcome, publisher.timeline
    finally:
        journal.close()


def starts(timeline: Timeline, name: str) -> list[int]:
    """Starts of the segments of a track, in microseconds since the epoch."""
    track = timeline.latest(name)
    assert track is not None
    segments = timeline.tracks[name].segments
    return [micros_of(segment.start, track.timescale) for segment in segments]


@pytest.mark.parametrize(
    "ladder",
    [
        pytest.param(PASSTHROUGH, marks=pytest.mark.extended, id="passthrough"),
        pytest.param(MIXED, id="mixed"),
    ],
)
async def test_video_is_copied_and_mp2_audio_is_encoded(tmp_path: Path, ladder: str) -> None:
    data = await asyncio.to_thread(on_air)
    outcome, timeline = await played(tmp_path, ladder, data)
    assert isinstance(outcome, RunDisconnected)
    assert len(timeline.periods) == 1
    video, audio = timeline.latest("v0"), timeline.latest("a0")
    assert video is not None
    assert audio is not None
    assert (video.width, audio.codecs, audio.channels) == (160, "mp4a.40.2", 2)
    begun = starts(timeline, "v0")
    assert len(begun) >= 4
    assert all((start - begun[0]) % 800_000 == 0 for start in begun)
    for start, near in zip(starts(timeline, "a0"), begun, strict=True):
        assert abs(start - near) <= 25_000
    if ladder is MIXED:
        assert starts(timeline, "low") == begun
