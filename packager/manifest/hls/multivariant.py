"""The multivariant playlist (RFC 8216bis section 4.4.6)."""

from fractions import Fraction

from packager.ticks import seconds
from packager.track import Track, TrackKind
from packager.window import Window, WindowTrack

_GROUP = "audio"


def render(window: Window) -> bytes:
    """The playlist; URLs are relative to the channel's folder."""
    audio = window.of_kind(TrackKind.AUDIO)
    lines = ["#EXTM3U", "#EXT-X-VERSION:8", "#EXT-X-INDEPENDENT-SEGMENTS"]
    lines.extend(_media(track.latest, default=index == 0) for index, track in enumerate(audio))
    for video in window.of_kind(TrackKind.VIDEO):
        lines.append(_stream_inf(video, audio))
        lines.append(f"{video.latest.id}/index.m3u8")
    return ("\n".join(lines) + "\n").encode()


def _media(track: Track, *, default: bool) -> str:
    attributes = [
        "TYPE=AUDIO",
        f'GROUP-ID="{_GROUP}"',
        f'NAME="{track.id}"',
        f"DEFAULT={'YES' if default else 'NO'}",
        "AUTOSELECT=YES",
        f'CHANNELS="{track.channels}"',
        f'URI="{track.id}/index.m3u8"',
    ]
    if track.language != "und":
        attributes.insert(3, f'LANGUAGE="{track.language}"')
    return "#EXT-X-MEDIA:" + ",".join(attributes)


def _stream_inf(video: WindowTrack, audio: tuple[WindowTrack, ...]) -> str:
    loudest = max((track.bandwidth for track in audio), default=0)
    average = max((track.average for track in audio), default=0)
    codecs = [video.latest.codecs, *dict.fromkeys(track.latest.codecs for track in audio)]
    attributes = [
        f"BANDWIDTH={video.bandwidth + loudest}",
        f"AVERAGE-BANDWIDTH={video.average + average}",
        f'CODECS="{",".join(codecs)}"',
        f"RESOLUTION={video.latest.width}x{video.latest.height}",
    ]
    if video.latest.frame_rate is not None:
        attributes.append(f"FRAME-RATE={_frame_rate(video.latest.frame_rate)}")
    if audio:
        attributes.append(f'AUDIO="{_GROUP}"')
    return "#EXT-X-STREAM-INF:" + ",".join(attributes)


def _frame_rate(rate: Fraction) -> str:
    """Frames a second to three decimals, as section 4.4.6.2 asks."""
    return seconds(rate, 3)
