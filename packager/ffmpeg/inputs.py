"""The inputs of a channel's ffmpeg."""

from dataclasses import dataclass
from enum import Enum
from fractions import Fraction
from typing import assert_never

import ffmpeg
from ffmpeg import Stream

from packager.feed.report import Container
from packager.ffmpeg.probe import SILENCE, AudioStream
from packager.timing.ticks import MICROS, round_half_up

_ANALYZE_DURATION = Fraction(1)
"""Seconds of media that ffmpeg analyses at the start: its streams are known already."""
_ANALYZED_FRAMES = 4
"""Frames without which ffmpeg does not find the size of the video."""
_CATCH_UP = 2
"""Seconds of media that ffmpeg reads in a second after a delay. By its own choice it reads 1.05,
and stays late for minutes."""
_SILENCE_SOURCE = "anullsrc=r=48000:cl=stereo"


class Pace(Enum):
    """How fast ffmpeg reads an input that is no pipe."""

    UNLIMITED = "unlimited"
    REAL_TIME = "real time"
    """No faster than the media lasts; ffmpeg decides how it makes up for a delay."""
    CATCHING_UP = "catching up"
    """No faster than the media lasts, and twice as fast after a delay: `-readrate_catchup`."""


@dataclass(frozen=True, slots=True)
class PatternFeed:
    """The test pattern: moving video, UTC clock, frame number, a beep and a flash a second."""

    width: int
    height: int
    frame_rate: Fraction
    font: str
    """File of the font for the clock."""


@dataclass(frozen=True, slots=True)
class FileFeed:
    """Recorded media: one file, or an ffconcat list of several."""

    path: str
    listed: bool
    """`path` is an ffconcat list."""
    loop: bool


@dataclass(frozen=True, slots=True)
class PipeFeed:
    """A container on ffmpeg's standard input."""

    container: Container
    skip: Fraction = Fraction(0)
    """Seconds at its beginning that are decoded, but not encoded."""
    frame_step: Fraction = Fraction(0)
    """Seconds from a frame to the next; 0 if unknown."""


@dataclass(frozen=True, slots=True)
class SlateFeed:
    """A still image without audio: the output while no feed is available."""

    width: int
    height: int
    frame_rate: Fraction
    image: str | None
    """An image file; None for plain grey."""


Feed = PatternFeed | FileFeed | PipeFeed | SlateFeed


def open_inputs(feed: Feed, reading: Pace) -> tuple[Stream, Stream]:
    """The inputs with the video and the audio of a feed; often the same one."""
    pace: dict[str, object] = {} if reading is Pace.UNLIMITED else {"re": None}
    if reading is Pace.CATCHING_UP:
        pace["readrate_catchup"] = _CATCH_UP
    match feed:
        case FileFeed():
            options = dict(pace)
            if feed.loop:
                options["stream_loop"] = -1
            if feed.listed:
                options |= {"f": "concat", "safe": 0}
            source = ffmpeg.input(feed.path, **options)
            return source, source
        case PipeFeed():
            analyzed = max(_ANALYZE_DURATION, _ANALYZED_FRAMES * feed.frame_step)
            source = ffmpeg.input(
                "pipe:0",
                f=feed.container.value,
                analyzeduration=round_half_up(analyzed * MICROS),
            )
            return source, source
        case SlateFeed():
            return _slate(feed, pace)
        case PatternFeed():
            return _pattern(feed, pace)
        case _:
            assert_never(feed)


def silence() -> Stream:
    """An endless silent stereo input."""
    return ffmpeg.input(_SILENCE_SOURCE, f="lavfi")


def audio_of(source: Stream, audio: AudioStream) -> Stream:
    """An audio stream of an input, or the silence that replaces it."""
    if audio.index != SILENCE:
        return source[str(audio.index)]
    return silence().audio


def _slate(feed: SlateFeed, pace: dict[str, object]) -> tuple[Stream, Stream]:
    rate = str(feed.frame_rate)
    audio = silence()
    if feed.image is None:
        grey = f"color=c=0x202020:s={feed.width}x{feed.height}:r={rate}"
        return ffmpeg.input(grey, f="lavfi", **pace), audio
    # Decoded once: ffmpeg's own -loop decodes the image for each frame.
    still = ffmpeg.input(feed.image).video.filter("loop", loop=-1, size=1, start=0)
    return still.filter("setpts", f"N/({rate})/TB").filter("realtime"), audio


def _pattern(feed: PatternFeed, pace: dict[str, object]) -> tuple[Stream, Stream]:
    rate = str(feed.frame_rate)
    video = ffmpeg.input(f"testsrc2=size={feed.width}x{feed.height}:rate={rate}", f="lavfi", **pace)
    beep = "0.4*sin(2*PI*1000*t)*lt(mod(t,1),0.1)"
    audio = ffmpeg.input(f"aevalsrc='{beep}|{beep}':s=48000", f="lavfi", **pace)
    return _with_clock(video.video, feed), audio


def _with_clock(video: Stream, feed: PatternFeed) -> Stream:
    """Burn in the UTC clock and the frame number, and flash with the beep."""
    flash = video.drawbox(
        x="iw*3/4", y=0, width="iw/4", height="ih/4", color="white", thickness="fill",
        enable="lt(mod(t,1),0.1)",
    )  # fmt: skip
    return flash.drawtext(
        text="%{gmtime:%F %T.%3N} UTC    frame %{n}",
        escape_text=False,
        fontfile=feed.font,
        fontsize="h/16",
        fontcolor="white",
        box=1,
        boxcolor="black@0.7",
        boxborderw=8,
        x="(w-tw)/2",
        y="h*3/4",
    )
