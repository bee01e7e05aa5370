"""What is sent while there is no feed: a picture that stands still, without sound."""

import asyncio
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

from packager.ffmpeg.command import SlateFeed
from packager.ffmpeg.probe import AudioStream, SourceInfo, VideoStream
from packager.layout import InitName, SegmentName
from packager.profile import AudioRung, EncodeLadder, Ladder, VideoRung
from packager.runtime.process import die_with_parent
from packager.runtime.sources import Opened
from packager.source import LossConfig
from packager.timeline import Timeline
from packager.track import UNDETERMINED, Track, TrackKind

_LAST = "last-frame.png"
_PATIENCE = 5.0
"""Seconds for ffmpeg to take out a picture."""
_RATES = (Fraction(25), Fraction(30), Fraction(24), Fraction(50))
_BITRATE = 800_000
"""Bit/s of a picture that stands still, where nothing else is encoded."""


def slate_ladder(ladder: Ladder, segment: Fraction, timeline: Timeline) -> EncodeLadder:
    """What a slate is encoded to: as the feed is; where that is passed through, as it last was."""
    if isinstance(ladder, EncodeLadder):
        return ladder
    last = next(iter(_pictures(timeline)), None)
    rates = [last.frame_rate] if last and last.frame_rate else []
    rate = next((r for r in (*rates, *_RATES) if (segment * r).denominator == 1), _RATES[0])
    width, height = (last.width, last.height) if last else (1280, 720)
    rung = VideoRung(id="v0", width=width, height=height, bitrate=_BITRATE)
    return EncodeLadder(
        name=ladder.name,
        frame_rate=rate,
        segment=segment,
        video=(rung,),
        audio=AudioRung(id="a0"),
        latency=ladder.latency,
    )


def _pictures(timeline: Timeline) -> Iterator[Track]:
    """The newest descriptions of all tracks with a picture."""
    for track_id in timeline.tracks:
        track = timeline.latest(track_id)
        if track is not None and track.kind is TrackKind.VIDEO:
            yield track


async def open_slate(
    config: LossConfig, ladder: EncodeLadder, timeline: Timeline, folder: Path, program: str
) -> Opened:
    """The picture that the channel in `folder` sends while there is no feed."""
    picture = config.slate
    if config.filler == "last-frame":
        picture = await _last_frame(timeline, folder, program) or picture
    best = max(ladder.video, key=lambda rung: rung.width)
    feed = SlateFeed(best.width, best.height, ladder.frame_rate, picture)
    video = VideoStream("rawvideo", best.width, best.height, ladder.frame_rate)
    sounds = [track.language for track in timeline.sounds]
    said = tuple(AudioStream("pcm_s16le", language) for language in sounds or [UNDETERMINED])
    info = SourceInfo((video,), said)
    return Opened(feed, info, endless=True)


async def _last_frame(timeline: Timeline, folder: Path, program: str) -> str | None:
    """A picture file of what was seen last; None where that cannot be had."""
    best = max(_pictures(timeline), key=lambda track: track.width, default=None)
    segments = timeline.tracks[best.id].segments if best else ()
    if best is None or not segments:
        return None
    where = folder / best.id
    parts = [where / str(InitName(best.version)), where / str(SegmentName(segments[-1].number))]
    out = folder / _LAST
    try:
        data = b"".join([await asyncio.to_thread(part.read_bytes) for part in parts])
        process = await asyncio.create_subprocess_exec(
            *(program, "-v", "error", "-y", "-i", "pipe:0", "-update", "1", str(out)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            preexec_fn=die_with_parent,
        )
        try:
            async with asyncio.timeout(_PATIENCE):
                await process.communicate(data)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    except (OSError, TimeoutError):
        return None
    return str(out) if process.returncode == 0 else None
