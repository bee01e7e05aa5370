"""The client manifest (MS-SSTR section 2.2.2)."""

from collections.abc import Iterator, Sequence
from itertools import zip_longest

from lxml import etree

from packager.segments import Segment
from packager.smooth_clock import TIMESCALE, span
from packager.ticks import round_half_up
from packager.track import UNDETERMINED, Track, TrackKind
from packager.window import Window, WindowTrack

LOOK_AHEAD = 1
"""Following fragments that each fragment names."""

_AAC_TAG = 255


def listed(window: Window, track: WindowTrack) -> Sequence[Segment]:
    """The fragments a client may ask for: while live, those whose successor exists."""
    if _four_cc(track.latest) is None:
        return ()
    if window.ended:
        return track.segments
    return track.segments[: max(0, len(track.segments) - LOOK_AHEAD)]


def render(window: Window, folder: str = "") -> bytes:
    """The manifest; `folder` leads from it to its fragments."""
    root = etree.Element("SmoothStreamingMedia", MajorVersion="2", MinorVersion="2")
    root.set("TimeScale", str(TIMESCALE))
    streams = list(streams_of(window))
    if window.ended:
        root.set("Duration", str(_length(window, streams)))
    else:
        root.set("Duration", "0")
        root.set("IsLive", "TRUE")
        root.set("LookAheadFragmentCount", str(LOOK_AHEAD))
        # None is a window without an end (MS-SSTR section 2.2.2.1).
        depth = (window.depth or 0) * window.grid.duration
        root.set("DVRWindowLength", str(round_half_up(depth * TIMESCALE)))
    root.set("CanSeek", "TRUE")
    root.set("CanPause", "TRUE")
    for tracks in streams:
        _stream_index(root, window, tracks, folder)
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")


def streams_of(window: Window) -> Iterator[Sequence[WindowTrack]]:
    """What Smooth can carry: renditions are qualities of one stream, each sound is its own.

    A stream has one timeline for all its qualities: those that only earlier periods have are left
    out, since a client that took one could not go on, and those that have other fragments.
    """
    periods = [s.period for track in window.tracks for s in listed(window, track)[-1:]]
    current = window.of_period(max(periods, default=window.newest))
    able = [track for track in current if listed(window, track)]
    renditions = [track for track in able if track.latest.kind is TrackKind.VIDEO]
    if renditions:
        numbers = {t.latest.id: [s.number for s in listed(window, t)] for t in renditions}
        most = max(numbers.values(), key=len)
        yield [track for track in renditions if numbers[track.latest.id] == most]
    for track in able:
        if track.latest.kind is TrackKind.AUDIO:
            yield [track]


def _length(window: Window, streams: Sequence[Sequence[WindowTrack]]) -> int:
    spans = [
        span(segment, window.track_of(track.latest.id, segment).timescale)
        for tracks in streams
        for track in tracks[:1]
        for segment in track.segments
    ]
    return max(start + duration for start, duration in spans) - min(start for start, _ in spans)


def _four_cc(track: Track) -> str | None:
    kind = track.codecs.partition(".")[0]
    return {"avc1": "H264", "avc3": "H264", "hvc1": "HVC1", "hev1": "HVC1", "mp4a": "AACL"}.get(
        kind
    )


def _stream_index(
    root: etree._Element, window: Window, tracks: Sequence[WindowTrack], folder: str
) -> None:
    kind = tracks[0].latest.kind
    fragments = listed(window, tracks[0])
    name = tracks[0].latest.id if kind is TrackKind.AUDIO else kind
    stream = etree.SubElement(root, "StreamIndex", Type=kind, Name=name)
    stream.set("QualityLevels", str(len(tracks)))
    stream.set("Chunks", str(len(fragments)))
    stream.set("Url", f"{folder}QualityLevels({{bitrate}})/Fragments({kind}={{start time}})")
    if kind is TrackKind.VIDEO:
        for prefix in ("Max", "Display"):
            stream.set(f"{prefix}Width", str(max(track.latest.width for track in tracks)))
            stream.set(f"{prefix}Height", str(max(track.latest.height for track in tracks)))
    if (language := tracks[0].latest.language) != UNDETERMINED:
        stream.set("Language", language)
    for index, track in enumerate(tracks):
        _quality_level(stream, index, track.latest)
    _fragments(stream, window, tracks[0], fragments)


def _quality_level(stream: etree._Element, index: int, track: Track) -> None:
    level = etree.SubElement(stream, "QualityLevel", Index=str(index), Bitrate=str(track.bitrate))
    level.set("FourCC", _four_cc(track) or "")
    level.set("CodecPrivateData", track.codec_private)
    if track.kind is TrackKind.VIDEO:
        level.set("MaxWidth", str(track.width))
        level.set("MaxHeight", str(track.height))
    else:
        level.set("SamplingRate", str(track.sample_rate))
        level.set("Channels", str(track.channels))
        level.set("BitsPerSample", "16")
        level.set("PacketSize", "4")
        level.set("AudioTag", str(_AAC_TAG))


def _fragments(
    stream: etree._Element, window: Window, track: WindowTrack, fragments: Sequence[Segment]
) -> None:
    """The `c` elements (2.2.2.6), without a hole.

    A fragment before one lasts until the next begins: dash.js, which looks for what comes after it
    by its end, would look in the hole for ever.
    """
    spans = [span(s, window.track_of(track.latest.id, s).timescale) for s in fragments]
    starts = [start for start, _ in spans[1:]]
    last: etree._Element | None = None
    for (start, duration), following in zip_longest(spans, starts):
        lasts = str(duration if following is None else following - start)
        if last is not None and last.get("d") == lasts:
            # Smooth's r counts all the fragments of a run, DASH's only the further ones.
            last.set("r", str(int(last.get("r", "1")) + 1))
            continue
        last, first = etree.SubElement(stream, "c"), last is None
        if first:
            last.set("t", str(start))
        last.set("d", lasts)
