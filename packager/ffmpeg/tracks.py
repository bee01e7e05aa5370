"""The tracks of a channel: the stream of the feed that each is made of, copied or encoded."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from packager.config.ladder import (
    AudioRendition,
    CopiedAudio,
    CopiedVideo,
    EncodedAudio,
    EncodedVideo,
    EncodeLadder,
    Ladder,
    MixedAudio,
    MixedLadder,
    MixedVideo,
    VideoRendition,
)
from packager.errors import FeedError
from packager.ffmpeg.probe import SILENCE, AudioStream, SourceInfo, VideoStream
from packager.track import Track, TrackKind, TrackSpec

COPYABLE = {
    "h264": "avc1",
    "hevc": "hvc1",
    "aac": "mp4a",
    "ac3": "ac-3",
    "eac3": "ec-3",
}
"""Codecs that can be passed through, each with the name of its sample entry."""
_CONVERTED = AudioRendition()
"""The AAC that replaces audio which cannot be passed through."""
_SILENT = AudioRendition(bitrate=32_000)
"""The AAC of the silence that replaces a missing audio stream."""
_MAX_AUDIO_ID = 30
"""Characters of an id to which a number of two digits is appended."""


@dataclass(frozen=True, slots=True)
class VideoPlan:
    """How a video track is made."""

    spec: TrackSpec
    stream: VideoStream
    position: int
    """Of the stream among the feed's video streams."""
    rendition: VideoRendition | None
    """None if the stream is copied."""


@dataclass(frozen=True, slots=True)
class AudioPlan:
    """How an audio track is made."""

    spec: TrackSpec
    stream: AudioStream
    position: int
    """Of the stream among the feed's audio streams."""
    rendition: AudioRendition | None
    """None if the stream is copied."""


@dataclass(frozen=True, slots=True)
class TrackPlan:
    """How all tracks of a channel are made."""

    video: tuple[VideoPlan, ...]
    audio: tuple[AudioPlan, ...]

    @property
    def specs(self) -> tuple[TrackSpec, ...]:
        """The tracks, video first."""
        video = (track.spec for track in self.video)
        return (*video, *(track.spec for track in self.audio))


def plan_tracks(ladder: Ladder, info: SourceInfo) -> TrackPlan:
    """The tracks that `ladder` makes of a feed with the streams `info`.

    Raises:
        FeedError: a stream cannot be passed through.
    """
    if isinstance(ladder, EncodeLadder):
        return TrackPlan(tuple(_encoded_video(ladder, info)), tuple(_encoded_audio(ladder, info)))
    if isinstance(ladder, MixedLadder):
        return TrackPlan(tuple(_mixed_video(ladder, info)), tuple(_mixed_audio(ladder, info)))
    check_copyable(info)
    return TrackPlan(tuple(_passed_video(info)), tuple(_passed_audio(info)))


def track_specs(ladder: Ladder, info: SourceInfo) -> tuple[TrackSpec, ...]:
    """The tracks of `plan_tracks`.

    Raises:
        FeedError: a stream cannot be passed through.
    """
    return plan_tracks(ladder, info).specs


def stream_tracks(ladder: Ladder, tracks: Sequence[Track]) -> list[Track]:
    """Of the audio `tracks` of a timeline, one for each audio stream of the feed.

    A mixed ladder may have several tracks of each stream. Those of its first rendition that
    leaves no stream out stand for the streams.
    """
    if not isinstance(ladder, MixedLadder):
        return list(tracks)
    whole = (track for track in ladder.audio if not isinstance(track, CopiedAudio))
    return tracks_of(next(whole, ladder.audio[0]).id, tracks)


def tracks_of(name: str, tracks: Sequence[Track]) -> list[Track]:
    """Those of the audio `tracks` that the audio rendition `name` has."""
    names = {_audio_id(name, position) for position in range(len(tracks))}
    return [track for track in tracks if track.id in names]


def check_copyable(info: SourceInfo) -> None:
    """Check that the video of a feed with the streams `info` can be passed through.

    Raises:
        FeedError: the codec of a stream is not supported.
    """
    for stream in info.video:
        if stream.codec not in COPYABLE:
            raise FeedError(f"{stream.codec} cannot be passed through: encode it with a ladder")


def _encoded_video(ladder: EncodeLadder, info: SourceInfo) -> Iterator[VideoPlan]:
    for rendition in ladder.video:
        spec = TrackSpec(rendition.id, TrackKind.VIDEO, rendition.bitrate, ladder.frame_rate)
        yield VideoPlan(spec, info.video[0], 0, rendition)


def _encoded_audio(ladder: EncodeLadder, info: SourceInfo) -> Iterator[AudioPlan]:
    for position, stream in enumerate(info.audio):
        name = _audio_id(ladder.audio.id, position)
        spec = TrackSpec(name, TrackKind.AUDIO, ladder.audio.bitrate)
        yield AudioPlan(spec, stream, position, ladder.audio)


def _audio_id(name: str, position: int) -> str:
    """The id of the track of an audio stream; a feed may have several."""
    return name if not position else f"{name[:_MAX_AUDIO_ID]}{position + 1}"


def _passed_video(info: SourceInfo) -> Iterator[VideoPlan]:
    for position, stream in enumerate(info.video):
        spec = TrackSpec(f"v{position}", TrackKind.VIDEO, 0, stream.frame_rate, copied=True)
        yield VideoPlan(spec, stream, position, None)


def _passed_audio(info: SourceInfo) -> Iterator[AudioPlan]:
    for position, stream in enumerate(info.audio):
        rendition = _replacement(stream, _CONVERTED)
        # The rate is measured in both cases: it stays if another source needs the other one.
        spec = TrackSpec(f"a{position}", TrackKind.AUDIO, 0, copied=rendition is None)
        yield AudioPlan(spec, stream, position, rendition)


def _replacement(stream: AudioStream, converted: AudioRendition) -> AudioRendition | None:
    """The rendition to which a stream is encoded that cannot be copied; None if it can."""
    if stream.index == SILENCE:
        return _SILENT
    return None if stream.codec in COPYABLE else converted


def _mixed_video(ladder: MixedLadder, info: SourceInfo) -> Iterator[VideoPlan]:
    """Each rendition. The rate of one that may be a copy is measured, since it never changes."""
    stream = info.video[0]
    copies = _copies(ladder.video[0], stream)
    rate = stream.frame_rate if copies else ladder.frame_rate
    for track in ladder.video:
        rendition = track if isinstance(track, VideoRendition) else None
        if copies and track is ladder.video[0]:
            rendition = None
        spec = TrackSpec(
            track.id,
            TrackKind.VIDEO,
            track.bitrate if isinstance(track, EncodedVideo) else 0,
            rate,
            copied=rendition is None,
            cuts_as_copied=copies and rendition is not None,
        )
        yield VideoPlan(spec, stream, 0, rendition)


def _copies(track: MixedVideo, stream: VideoStream) -> bool:
    """Whether `track` is a copy of `stream`.

    Raises:
        FeedError: it has to be, and the codec cannot be passed through.
    """
    if isinstance(track, CopiedVideo) and stream.codec not in COPYABLE:
        raise FeedError(f"{stream.codec} cannot be copied: set `mode: auto` or `mode: encode`")
    return stream.codec in COPYABLE and not isinstance(track, EncodedVideo)


def _mixed_audio(ladder: MixedLadder, info: SourceInfo) -> Iterator[AudioPlan]:
    """Each rendition of each audio stream. The rate of one that may be a copy is measured."""
    for track in ladder.audio:
        for position, stream in enumerate(info.audio):
            if _is_left_out(track, stream):
                continue
            rendition = _mixed_rendition(track, stream)
            spec = TrackSpec(
                _audio_id(track.id, position),
                TrackKind.AUDIO,
                track.bitrate if isinstance(track, EncodedAudio) else 0,
                copied=rendition is None,
            )
            yield AudioPlan(spec, stream, position, rendition)


def _is_left_out(track: MixedAudio, stream: AudioStream) -> bool:
    """Whether `track` copies audio, and the stream cannot be copied."""
    is_copyable = stream.codec in COPYABLE or stream.index == SILENCE
    return isinstance(track, CopiedAudio) and not is_copyable


def _mixed_rendition(track: MixedAudio, stream: AudioStream) -> AudioRendition | None:
    """The rendition to which a stream is encoded; None if it is copied."""
    if isinstance(track, EncodedAudio):
        return track
    return _replacement(stream, _CONVERTED if isinstance(track, CopiedAudio) else track)
