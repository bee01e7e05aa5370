"""The client manifest (MS-SSTR section 2.2.2)."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import sub

from lxml import etree

from packager.columns import Segment
from packager.manifest.text import Passage, Tapes, Text, spliced
from packager.segments import Segments
from packager.smooth_clock import TIMESCALE, span
from packager.ticks import round_half_up
from packager.track import UNDETERMINED, Track, TrackKind
from packager.window import Window, WindowTrack

LOOK_AHEAD = 1
"""Following fragments that each fragment names."""

_AAC_TAG = 255
_FRAGMENTS = "|fragments|"
"""Stands for a list of fragments until the rest is written."""


def listed(window: Window, track: WindowTrack) -> Segments:
    """The fragments a client may ask for: while live, those whose successor exists."""
    if _four_cc(track.latest) is None:
        return Segments()
    if window.ended:
        return track.segments
    return track.segments[: max(0, len(track.segments) - LOOK_AHEAD)]


def render(window: Window, folder: str = "", tapes: Tapes | None = None) -> Text:
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
    body = etree.tostring(root, xml_declaration=True, encoding="UTF-8")
    written = tapes or Tapes()
    lists = (
        written.of("smooth", track.latest.id).cut(_passage(window, track)) for track, *_ in streams
    )
    return Text(spliced(body, _FRAGMENTS, lists))


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
        most = max((listed(window, track) for track in renditions), key=len)
        numbers = list(most.numbers())
        yield [t for t in renditions if list(listed(window, t).numbers()) == numbers]
    for track in able:
        if track.latest.kind is TrackKind.AUDIO:
            yield [track]


def _length(window: Window, streams: Sequence[Sequence[WindowTrack]]) -> int:
    spans = [
        span(segment, window.track_of(track.latest.id, segment).timescale)
        for tracks in streams
        for track in tracks[:1]
        for segment in (track.segments[0], track.segments[-1])
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
    stream[-1].tail = _FRAGMENTS


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


def _passage(window: Window, track: WindowTrack) -> Passage:
    """The `c` elements (2.2.2.6), without a hole.

    A fragment before one lasts until the next begins: dash.js, which looks for what comes after it
    by its end, would look in the hole for ever.
    """
    fragments = listed(window, track)

    def begin(fragment: Segment) -> int:
        return span(fragment, window.track_of(track.latest.id, fragment).timescale)[0]

    def durations(first: int, last: int) -> Iterator[int]:
        start, stop = fragments.index_of(first), fragments.index_of(last + 1)
        begins = [begin(fragment) for fragment in fragments[start : stop + 1]]
        yield from map(sub, begins[1:], begins)
        if stop == len(fragments) and start < stop:
            newest = fragments[-1]
            yield span(newest, window.track_of(track.latest.id, newest).timescale)[1]

    def write(first: int, last: int, opening: str = "") -> str:
        entries: list[str] = []
        for duration, run in groupby(durations(first, last)):
            # Smooth's r counts all the fragments of a run, DASH's only the further ones.
            count = len(list(run))
            repeats = f' r="{count}"' if count > 1 else ""
            entries.append(f'<c{opening} d="{duration}"{repeats}/>')
            opening = ""
        return "".join(entries)

    oldest = fragments[0]
    return Passage(
        first=window.first,
        opened=oldest.number,
        last=fragments[-1].number,
        # How long the last one lasts shows when there is another.
        settled=fragments[-2].number if len(fragments) > 1 else -1,
        known=fragments[-1].number,
        lead=lambda first, last: write(first, last, f' t="{begin(oldest)}"'),
        middle=write,
    )
