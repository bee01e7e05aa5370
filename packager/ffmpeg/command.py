"""The arguments of a channel's ffmpeg, built with ffmpeg-python.

One process a channel: the feed is decoded once, split, scaled and encoded to every rung, the audio
once; each track leaves as fragmented MP4 on a pipe of its own. What was measured of these flags is
in `docs/decisions/0005-ffmpeg-output.md`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import assert_never

import ffmpeg
from ffmpeg import Stream

from packager.errors import FeedError
from packager.feed.container import Container
from packager.ffmpeg.encoders import device_options, encoder_options, last_filters
from packager.ffmpeg.probe import SILENCE, AudioStream, SourceInfo
from packager.latency import parts_of
from packager.profile import EncodeLadder, EncoderName, Ladder, VideoRung
from packager.ticks import MICROS, round_half_up, seconds
from packager.track import UNDETERMINED, TrackKind, TrackSpec

CHUNKS = 4
"""Chunks a segment: a quarter is whole frames for every segment duration of the design."""
_SOUND_OF_PARTS = Fraction(1, 50)
"""Seconds of a chunk of sound that parts are made of: a frame, so that none waits for another."""

_TIMESCALE = 90_000
_SLIP = 0.01
"""Seconds that sound may slip from its timestamps before silence or a cut makes it good."""
_LONGEST_SOUND = 30
"""Characters of an id that a number of two digits may follow."""
_ANALYSED = 1_000_000
"""Microseconds of media that ffmpeg looks at before it begins: what is in it is known already."""
_SILENCE = "anullsrc=r=48000:cl=stereo"
_SILENT_BITRATE = 32_000
"""Bit/s of the silence that is put into what is passed through."""
_TRIED = 10
"""Pictures that show whether an encoder works."""
COPYABLE = {
    "h264": "avc1",
    "hevc": "hvc1",
    "aac": "mp4a",
    "ac3": "ac-3",
    "eac3": "ec-3",
}
"""Codecs that can be passed through, each with the name of its sample entry."""


@dataclass(frozen=True, slots=True)
class PatternFeed:
    """The test pattern: moving picture, UTC clock, frame number, a beep and a flash a second."""

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
    """What comes in on ffmpeg's standard input."""

    container: Container
    skip: Fraction = Fraction(0)
    """Seconds at its beginning that are decoded, but not encoded."""


@dataclass(frozen=True, slots=True)
class SlateFeed:
    """A picture that stands still, without sound: what is sent while there is no feed."""

    width: int
    height: int
    frame_rate: Fraction
    picture: str | None
    """An image file; None for plain grey."""


Feed = PatternFeed | FileFeed | PipeFeed | SlateFeed


def timescale_for(frame_rate: Fraction | None) -> int:
    """Ticks a second in which a frame is a whole number of ticks."""
    if frame_rate is None or (_TIMESCALE / frame_rate).denominator == 1:
        return _TIMESCALE
    return frame_rate.numerator


def track_specs(ladder: Ladder, info: SourceInfo) -> tuple[TrackSpec, ...]:
    """The tracks that a feed with the streams `info` becomes, video first.

    Raises:
        FeedError: a stream that cannot be passed through.
    """
    if isinstance(ladder, EncodeLadder):
        video = tuple(
            TrackSpec(rung.id, TrackKind.VIDEO, rung.bitrate, ladder.frame_rate)
            for rung in ladder.video
        )
        audio = (
            TrackSpec(_sound_id(ladder, number), TrackKind.AUDIO, ladder.audio.bitrate)
            for number in range(len(info.audio))
        )
        return (*video, *audio)
    check_copyable(info)
    specs: list[TrackSpec] = []
    for number, picture in enumerate(info.video):
        specs.append(TrackSpec(f"v{number}", TrackKind.VIDEO, 0, picture.frame_rate))
    specs += [TrackSpec(f"a{number}", TrackKind.AUDIO, 0) for number in range(len(info.audio))]
    return tuple(specs)


def check_copyable(info: SourceInfo) -> None:
    """See that a feed with the streams `info` can be passed through.

    Raises:
        FeedError: one of them cannot.
    """
    sounds = (audio.codec for audio in info.audio if audio.index != SILENCE)
    for codec in (*(video.codec for video in info.video), *sounds):
        if codec not in COPYABLE:
            raise FeedError(f"{codec} cannot be passed through: encode it with a ladder")


def _sound_id(ladder: EncodeLadder, number: int) -> str:
    """The id of a ladder's sound, of which a feed may have several."""
    return ladder.audio.id if not number else f"{ladder.audio.id[:_LONGEST_SOUND]}{number + 1}"


def arguments(
    feed: Feed,
    ladder: Ladder,
    segment: Fraction,
    info: SourceInfo,
    pipes: Sequence[int],
    *,
    real_time: bool,
) -> list[str]:
    """Arguments of ffmpeg, without the program itself.

    Args:
        feed: what is read.
        ladder: what it becomes.
        segment: segment duration, in seconds.
        info: the streams of the feed.
        pipes: the file descriptor of each track of `track_specs`, in order.
        real_time: read no faster than the media lasts; otherwise encode on one thread a rung,
            since the rate control of x264 depends on the timing of its threads.
    """
    picture, sound = _inputs(feed, real_time=real_time)
    devices: list[str] = []
    if isinstance(ladder, EncodeLadder):
        devices = device_options(ladder)
        outputs = _encoded(
            feed,
            ladder,
            segment,
            info,
            (picture, sound),
            pipes,
            real_time=real_time,
        )
    else:
        outputs = _copied(feed, picture, _chunks(ladder, segment), info, pipes)
    merged = ffmpeg.merge_outputs(*outputs).global_args(
        *devices,
        "-hide_banner", "-nostdin", "-nostats",
        "-loglevel", "repeat+level+info",
        "-progress", "pipe:1", "-stats_period", "2",
    )  # fmt: skip
    return [str(argument) for argument in merged.get_args()]


def _inputs(feed: Feed, *, real_time: bool) -> tuple[Stream, Stream]:
    """The picture and the sound of a feed, as ffmpeg-python streams."""
    pace: dict[str, object] = {"re": None} if real_time else {}
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
            source = ffmpeg.input("pipe:0", f=feed.container.value, analyzeduration=_ANALYSED)
            return source, source
        case SlateFeed():
            return _slate(feed, pace)
        case PatternFeed():
            return _pattern(feed, pace)
        case _:
            assert_never(feed)


def _sound(source: Stream, audio: AudioStream) -> Stream:
    """A sound of a feed, or the silence in its place."""
    if audio.index != SILENCE:
        return source[str(audio.index)]
    return ffmpeg.input(_SILENCE, f="lavfi").audio


def _slate(feed: SlateFeed, pace: dict[str, object]) -> tuple[Stream, Stream]:
    rate = str(feed.frame_rate)
    sound = ffmpeg.input(_SILENCE, f="lavfi")
    if feed.picture is None:
        grey = f"color=c=0x202020:s={feed.width}x{feed.height}:r={rate}"
        return ffmpeg.input(grey, f="lavfi", **pace), sound
    # Decoded once: ffmpeg's own loop decodes it for each picture.
    still = ffmpeg.input(feed.picture).video.filter("loop", loop=-1, size=1, start=0)
    return still.filter("setpts", f"N/({rate})/TB").filter("realtime"), sound


def _pattern(feed: PatternFeed, pace: dict[str, object]) -> tuple[Stream, Stream]:
    rate = str(feed.frame_rate)
    picture = ffmpeg.input(
        f"testsrc2=size={feed.width}x{feed.height}:rate={rate}", f="lavfi", **pace
    )
    beep = "0.4*sin(2*PI*1000*t)*lt(mod(t,1),0.1)"
    sound = ffmpeg.input(f"aevalsrc='{beep}|{beep}':s=48000", f="lavfi", **pace)
    return _clock(picture.video, feed), sound


def _clock(picture: Stream, feed: PatternFeed) -> Stream:
    """Burn in the UTC clock and the frame number, and flash with the beep."""
    flash = picture.drawbox(
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


@dataclass(frozen=True, slots=True)
class _Chunks:
    """Seconds of what leaves ffmpeg at once."""

    picture: Fraction
    sound: Fraction


def _chunks(ladder: Ladder, segment: Fraction) -> _Chunks:
    parts = parts_of(ladder, segment)
    if parts is None:
        return _Chunks(segment / CHUNKS, segment / CHUNKS)
    return _Chunks(parts.length, _SOUND_OF_PARTS)


def _muxer(chunk: Fraction, *flags: str) -> dict[str, object]:
    # frag_discont keeps start times and the offset of sound to picture; negative times are let
    # through, or each track's muxer would shift its own.
    return {
        "f": "mp4",
        "movflags": "+" + "+".join(("cmaf", "frag_discont", *flags)),
        "frag_duration": round_half_up(chunk * MICROS) - 1000,
        "avoid_negative_ts": "disabled",
        "use_editlist": 0,
        "fflags": "+bitexact",
        "map_metadata": -1,
        "map_chapters": -1,
    }


def _language(audio: AudioStream) -> dict[str, object]:
    """The one thing that is kept of what the feed says of itself."""
    return (
        {"metadata:s:a:0": f"language={audio.language}"} if audio.language != UNDETERMINED else {}
    )


def _encoded(
    feed: Feed,
    ladder: EncodeLadder,
    segment: Fraction,
    info: SourceInfo,
    streams: tuple[Stream, Stream],
    pipes: Sequence[int],
    *,
    real_time: bool,
) -> list[Stream]:
    picture, sound = streams
    chunks = _chunks(ladder, segment)
    video, sounds = _decoded(feed, info, picture, sound)
    # To the nearest: fps_mode alone lets a picture be a frame late for good.
    even = video.filter("fps", fps=str(ladder.frame_rate), round="near")
    parts = even.filter_multi_output("split", len(ladder.video))
    outputs = [
        ffmpeg.output(
            _scaled(parts.stream(index), rung, ladder.encoder_of(rung)),
            f"pipe:{pipe}",
            **_video(rung, ladder, segment, chunks, threads=rung.threads if real_time else 1),
        )
        for index, (rung, pipe) in enumerate(zip(ladder.video, pipes, strict=False))
    ]
    rung = ladder.audio
    outputs += [
        # async: sound follows its timestamps, by a little by stretching, the rest at once.
        ffmpeg.output(
            stream.filter("aresample", **{"async": 1000, "min_hard_comp": _SLIP}),
            f"pipe:{pipe}",
            **{"c:a": "aac", "b:a": rung.bitrate, "ar": rung.sample_rate, "ac": rung.channels},
            **_muxer(chunks.sound),
            **_language(audio),
        )
        for stream, audio, pipe in zip(sounds, info.audio, pipes[len(ladder.video) :], strict=False)
    ]
    return outputs


def _decoded(
    feed: Feed, info: SourceInfo, picture: Stream, sound: Stream
) -> tuple[Stream, list[Stream]]:
    """The picture and the sounds of a feed, as they go into filters."""
    match feed:
        case FileFeed():
            return picture.video, [sound[f"a:{number}"] for number in range(len(info.audio))]
        case PipeFeed():
            video = picture[str(info.video[0].index)]
            sounds = [_sound(sound, audio) for audio in info.audio]
            if not feed.skip:
                return video, sounds
            start = seconds(feed.skip, 6)
            return (
                video.filter("trim", start=start),
                [stream.filter("atrim", start=start) for stream in sounds],
            )
        case SlateFeed() | PatternFeed():
            return picture, [sound.audio] * len(info.audio)
        case _:
            assert_never(feed)


def _scaled(stream: Stream, rung: VideoRung, encoder: EncoderName) -> Stream:
    """The picture at the size of `rung`, whole and undistorted, as `encoder` takes it."""
    # dar counts pixels that are not square; force_original_aspect_ratio would not.
    fitted = stream.filter(
        "scale",
        f"2*round(min({rung.width},{rung.height}*dar)/2)",
        f"2*round(min({rung.height},{rung.width}/dar)/2)",
        flags="bicubic",
    )
    padded = fitted.filter("pad", rung.width, rung.height, "(ow-iw)/2", "(oh-ih)/2")
    ready = padded.filter("setsar", 1)
    for name, *options in last_filters(encoder):
        ready = ready.filter(name, *options)
    return ready


def _video(
    rung: VideoRung, ladder: EncodeLadder, segment: Fraction, chunks: "_Chunks", *, threads: int
) -> dict[str, object]:
    frames = round_half_up(segment * ladder.frame_rate)
    # Counted from the first picture. Half a frame early: the comparison is in floating point, the
    # frames are exact.
    half = seconds(1 / ladder.frame_rate / 2, 6)
    due = f"gte(t-ld(0),n_forced*{segment.numerator}/{segment.denominator}-{half})"
    keyframes = f"expr:if(n,{due},st(0,t)+1)"
    return {
        **encoder_options(ladder.encoder_of(rung), rung, frames, threads, ladder.latency),
        "force_key_frames": keyframes,
        "fps_mode": "vfr",
        "video_track_timescale": timescale_for(ladder.frame_rate),
        **_muxer(chunks.picture, "frag_keyframe"),
    }


def trial_arguments(rung: VideoRung, ladder: EncodeLadder) -> list[str]:
    """Arguments of an ffmpeg that encodes a few grey pictures as `rung` is, and keeps nothing."""
    picture = f"color=gray:size={rung.width}x{rung.height}:rate={ladder.frame_rate}"
    encoder = ladder.encoder_of(rung)
    stream = ffmpeg.input(picture, f="lavfi").video
    for name, *options in last_filters(encoder):
        stream = stream.filter(name, *options)
    frames = round_half_up(ladder.segment * ladder.frame_rate)
    output = ffmpeg.output(
        stream,
        "pipe:1",
        f="null",
        **{"frames:v": _TRIED},
        **encoder_options(encoder, rung, frames, rung.threads, ladder.latency),
    ).global_args(
        *device_options(ladder), "-hide_banner", "-nostdin", "-nostats", "-loglevel", "level+error"
    )
    return [str(argument) for argument in output.get_args()]


def _copied(
    feed: Feed, source: Stream, chunks: "_Chunks", info: SourceInfo, pipes: Sequence[int]
) -> list[Stream]:
    targets = iter(pipes)
    by_index = isinstance(feed, PipeFeed)
    outputs: list[Stream] = []
    for number, video in enumerate(info.video):
        options = {
            "c:v": "copy",
            "tag:v": COPYABLE[video.codec],
            "video_track_timescale": timescale_for(video.frame_rate),
            **_muxer(chunks.picture, "frag_keyframe"),
        }
        stream = source[str(video.index) if by_index else f"v:{number}"]
        outputs.append(ffmpeg.output(stream, f"pipe:{next(targets)}", **options))
    for number, audio in enumerate(info.audio):
        if audio.index == SILENCE:
            outputs.append(_silent(chunks.sound, audio, next(targets)))
            continue
        # Delayed: what the moov says of sound is only known from its first frames.
        options = {
            "c:a": "copy",
            "tag:a": COPYABLE[audio.codec],
            **_muxer(chunks.sound, "delay_moov"),
            **_language(audio),
        }
        if audio.codec == "aac":
            options["bsf:a"] = "aac_adtstoasc"  # as TS has it; what has it already passes
        stream = source[str(audio.index) if by_index else f"a:{number}"]
        outputs.append(ffmpeg.output(stream, f"pipe:{next(targets)}", **options))
    return outputs


def _silent(chunk: Fraction, audio: AudioStream, pipe: int) -> Stream:
    """Silence beside what is passed through."""
    return ffmpeg.output(
        ffmpeg.input(_SILENCE, f="lavfi").audio,
        f"pipe:{pipe}",
        **{"c:a": "aac", "b:a": _SILENT_BITRATE},
        **_muxer(chunk, "delay_moov"),
        **_language(audio),
    )
