"""The multivariant playlist (RFC 8216bis section 4.4.6)."""

from collections.abc import Sequence
from fractions import Fraction

from packager.manifest.incremental import CompressedBlock, ManifestText
from packager.manifest.window import Window, WindowTrack
from packager.timing.ticks import seconds
from packager.track import UNDETERMINED, Track, TrackKind, language_tag


def render(window: Window) -> ManifestText:
    """The playlist; URLs are relative to the channel's folder.

    Audio of each codec is a group of its own, and each rendition is listed once with each group.
    A player that cannot decode one group uses another (section 4.4.6.2.1, on CODECS and AUDIO).
    Tracks that only earlier periods have are left out, since they have no new segments.
    """
    current = window.of_period(window.newest)
    groups = _groups(current)
    lines = ["#EXTM3U", "#EXT-X-VERSION:8", "#EXT-X-INDEPENDENT-SEGMENTS"]
    for group, tracks in groups.items():
        names = _names([track.latest for track in tracks])
        lines.extend(
            _media(track.latest, group, name, default=track is tracks[0])
            for track, name in zip(tracks, names, strict=True)
        )
    for group, tracks in (groups or {"": []}).items():
        for video in current:
            if video.latest.kind is TrackKind.VIDEO:
                lines.append(_stream_inf(video, group, tracks))
                lines.append(f"{video.latest.id}/index.m3u8")
    return ManifestText([CompressedBlock(("\n".join(lines) + "\n").encode())])


def _groups(tracks: Sequence[WindowTrack]) -> dict[str, list[WindowTrack]]:
    groups: dict[str, list[WindowTrack]] = {}
    for track in tracks:
        if track.latest.kind is TrackKind.AUDIO:
            groups.setdefault(track.latest.codecs.partition(".")[0], []).append(track)
    return groups


def _names(tracks: Sequence[Track]) -> list[str]:
    """Names for a player's menu: the language, or the track's id if that is ambiguous."""
    tags = [language_tag(track.language) for track in tracks]
    return [
        track.id if tag == UNDETERMINED or tags.count(tag) > 1 else tag
        for track, tag in zip(tracks, tags, strict=True)
    ]


def _media(track: Track, group: str, name: str, *, default: bool) -> str:
    attributes = [
        "TYPE=AUDIO",
        f'GROUP-ID="{group}"',
        f'NAME="{name}"',
        f"DEFAULT={'YES' if default else 'NO'}",
        "AUTOSELECT=YES",
        f'CHANNELS="{track.channels}"',
        f'URI="{track.id}/index.m3u8"',
    ]
    if track.language != UNDETERMINED:
        attributes.insert(3, f'LANGUAGE="{language_tag(track.language)}"')
    return "#EXT-X-MEDIA:" + ",".join(attributes)


def _stream_inf(video: WindowTrack, group: str, audio: Sequence[WindowTrack]) -> str:
    peak = max((track.bandwidth for track in audio), default=0)
    average = max((track.average for track in audio), default=0)
    codecs = [video.latest.codecs, *dict.fromkeys(track.latest.codecs for track in audio)]
    attributes = [
        f"BANDWIDTH={video.bandwidth + peak}",
        f"AVERAGE-BANDWIDTH={video.average + average}",
        f'CODECS="{",".join(codecs)}"',
        f"RESOLUTION={video.latest.width}x{video.latest.height}",
    ]
    if video.latest.frame_rate is not None:
        attributes.append(f"FRAME-RATE={_frame_rate(video.latest.frame_rate)}")
    if audio:
        attributes.append(f'AUDIO="{group}"')
    return "#EXT-X-STREAM-INF:" + ",".join(attributes)


def _frame_rate(rate: Fraction) -> str:
    """Frames a second to three decimals (section 4.4.6.2)."""
    return seconds(rate, 3)
