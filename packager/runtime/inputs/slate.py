"""The slate: a still image without audio, sent while no feed is available."""

import asyncio
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

from msgspec.structs import replace

from packager.config.ladder import (
    AudioRendition,
    EncodeLadder,
    Ladder,
    MixedLadder,
    VideoRendition,
    encoded_audio,
    encoded_video,
)
from packager.config.sources import LossConfig
from packager.ffmpeg.inputs import SlateFeed
from packager.ffmpeg.probe import AudioStream, SourceInfo, VideoStream
from packager.ffmpeg.tracks import tracks_of
from packager.layout import InitName, SegmentName
from packager.runtime.ffmpeg.process import die_with_parent
from packager.runtime.inputs.opened import OpenedInput
from packager.timeline.model import Timeline
from packager.track import UNDETERMINED, Track, TrackKind

_LAST = "last-frame.png"
_TIMEOUT = 5.0
"""Seconds for ffmpeg to extract a frame."""
_RATES = (Fraction(25), Fraction(30), Fraction(24), Fraction(50))
_BITRATE = 800_000
"""Bit/s of the slate of copied video. Each rendition has a rate of its own, as Smooth requires."""


def slate_ladder(ladder: Ladder, segment: Fraction, timeline: Timeline) -> EncodeLadder:
    """The ladder of the slate: the channel's, with what it copies encoded like the last feed."""
    if isinstance(ladder, EncodeLadder):
        return ladder
    last = next(iter(_video_tracks(timeline)), None)
    rates = [last.frame_rate] if last and last.frame_rate else []
    rate = next((r for r in (*rates, *_RATES) if (segment * r).denominator == 1), _RATES[0])
    width, height = (last.width, last.height) if last else (1280, 720)
    name = ladder.video[0].id if isinstance(ladder, MixedLadder) else "v0"
    taken = [rendition.bitrate for rendition in encoded_video(ladder)]
    bitrate = next(free for free in range(_BITRATE, 2 * _BITRATE, 1000) if free not in taken)
    copied = VideoRendition(id=name, width=width, height=height, bitrate=bitrate)
    slate = EncodeLadder(
        name=ladder.name,
        frame_rate=rate,
        segment=segment,
        video=(copied,),
        audio=AudioRendition(id="a0"),
        latency=ladder.latency,
    )
    return _mixed(slate, ladder, copied) if isinstance(ladder, MixedLadder) else slate


def _mixed(slate: EncodeLadder, ladder: MixedLadder, copied: VideoRendition) -> EncodeLadder:
    """The slate of a mixed ladder: all its video, and its first audio that can be encoded."""
    video = tuple(
        rendition if isinstance(rendition, VideoRendition) else copied for rendition in ladder.video
    )
    audio = next(iter(encoded_audio(ladder)), AudioRendition(id=ladder.audio[0].id))
    encoder, deinterlace = ladder.encoder, ladder.deinterlace
    return replace(slate, video=video, audio=audio, encoder=encoder, deinterlace=deinterlace)


def _video_tracks(timeline: Timeline) -> Iterator[Track]:
    """The newest descriptions of all video tracks."""
    for track_id in timeline.tracks:
        track = timeline.latest(track_id)
        if track is not None and track.kind is TrackKind.VIDEO:
            yield track


async def open_slate(
    config: LossConfig, ladder: EncodeLadder, timeline: Timeline, folder: Path, program: str
) -> OpenedInput:
    """Open the slate of the channel in `folder`."""
    image = config.slate
    if config.filler == "last-frame":
        image = await _last_frame(timeline, folder, program) or image
    best = max(ladder.video, key=lambda rendition: rendition.width)
    feed = SlateFeed(best.width, best.height, ladder.frame_rate, image)
    video = VideoStream("rawvideo", best.width, best.height, ladder.frame_rate)
    tracks = tracks_of(ladder.audio.id, timeline.audio_tracks) or timeline.audio_tracks
    languages = [track.language for track in tracks] or [UNDETERMINED]
    audio = tuple(AudioStream("pcm_s16le", language) for language in languages)
    info = SourceInfo((video,), audio)
    return OpenedInput(feed, info, endless=True)


async def _last_frame(timeline: Timeline, folder: Path, program: str) -> str | None:
    """An image file of the last frame; None if that cannot be extracted."""
    best = max(_video_tracks(timeline), key=lambda track: track.width, default=None)
    segments = timeline.tracks[best.id].segments if best else ()
    if best is None or not segments:
        return None
    track = folder / best.id
    parts = [track / str(InitName(best.version)), track / str(SegmentName(segments[-1].number))]
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
            async with asyncio.timeout(_TIMEOUT):
                await process.communicate(data)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    except (OSError, TimeoutError):
        return None
    return str(out) if process.returncode == 0 else None
