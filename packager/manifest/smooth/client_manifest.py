"""The client manifest (MS-SSTR section 2.2.2)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import sub

from lxml import etree

from packager.manifest.incremental import ListCaches, ListSlice, ManifestText, spliced
from packager.manifest.window import Window, WindowTrack
from packager.timeline.segment_table import Segment
from packager.timeline.segments import Segments
from packager.timing.smooth_time import TIMESCALE, smooth_time, span
from packager.timing.ticks import round_half_up
from packager.track import UNDETERMINED, Track, TrackKind

LOOK_AHEAD = 1
"""Count of the following fragments that each fragment names."""

_AAC_TAG = 255
_FRAGMENTS = "|fragments|"
"""Placeholder for a list of fragments."""


def listed(window: Window, track: WindowTrack) -> Segments:
    """The fragments that a client may request: while live, those whose successor exists."""
    if _four_cc(track.latest) is None:
        return Segments()
    if window.ended:
        return track.segments
    return track.segments[: max(0, len(track.segments) - LOOK_AHEAD)]


def render(window: Window, folder: str = "", cache: ListCaches | None = None) -> ManifestText:
    """The manifest; `folder` is the URL of the fragments' folder, relative to it."""
    root = etree.Element("SmoothStreamingMedia", MajorVersion="2", MinorVersion="2")
    root.set("TimeScale", str(TIMESCALE))
    streams = list(streams_of(window))
    if window.ended:
        root.set("Duration", str(_length(window, streams)))
    else:
        root.set("Duration", "0")
        root.set("IsLive", "TRUE")
        root.set("LookAheadFragmentCount", str(LOOK_AHEAD))
        # 0 means an infinite window (MS-SSTR section 2.2.2.1).
        depth = (window.depth or 0) * window.grid.duration
        root.set("DVRWindowLength", str(round_half_up(depth * TIMESCALE)))
    root.set("CanSeek", "TRUE")
    root.set("CanPause", "TRUE")
    for tracks in streams:
        _stream_index(root, window, tracks, folder)
    body = etree.tostring(root, xml_declaration=True, encoding="UTF-8")
    caches = cache or ListCaches()
    lists = (
        caches.of("smooth", track.latest.id).cut(_list_of(window, track)) for track, *_ in streams
    )
    return ManifestText(spliced(body, _FRAGMENTS, lists))


def streams_of(window: Window) -> Iterator[Sequence[WindowTrack]]:
    """The streams of the manifest: all renditions are one stream, each audio track is another.

    A stream has one timeline for all its qualities. So tracks that only earlier periods have are
    left out, since a client could not continue with them. Renditions with other fragments are left
    out too.
    """
    periods = [s.period for track in window.tracks for s in listed(window, track)[-1:]]
    current = window.of_period(max(periods, default=window.newest))
    playable = [track for track in current if listed(window, track)]
    renditions = [track for track in playable if track.latest.kind is TrackKind.VIDEO]
    if renditions:
        most = max((listed(window, track) for track in renditions), key=len)
        numbers = list(most.numbers())
        yield [t for t in renditions if list(listed(window, t).numbers()) == numbers]
    for track in playable:
        if track.latest.kind is TrackKind.AUDIO:
            yield [track]


def _length(window: Window, streams: Sequence[Sequence[WindowTrack]]) -> int:
    spans = [
        span(segment.start, segment.end, window.track_of(track.latest.id, segment).timescale)
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


@dataclass(frozen=True, slots=True)
class _FragmentList:
    """The `c` elements (MS-SSTR section 2.2.2.6) of a track, without holes.

    The fragment before a hole lasts until the next one starts. dash.js looks for the next fragment
    at the end of the last one, and would never find it in the hole.
    """

    window: Window
    track: WindowTrack
    fragments: Segments

    def begin(self, fragment: Segment) -> int:
        """Start of a fragment in Smooth's time."""
        return smooth_time(fragment.start, self._timescale(fragment))

    def _timescale(self, fragment: Segment) -> int:
        return self.window.track_of(self.track.latest.id, fragment).timescale

    def _durations(self, first: int, last: int) -> Iterator[int]:
        """Durations of the fragments from `first` to `last`, each up to the next fragment."""
        start, stop = self.fragments.index_of(first), self.fragments.index_of(last + 1)
        begins = [self.begin(fragment) for fragment in self.fragments[start : stop + 1]]
        yield from map(sub, begins[1:], begins)
        if stop == len(self.fragments) and start < stop:
            newest = self.fragments[-1]
            yield span(newest.start, newest.end, self._timescale(newest))[1]

    def text(self, first: int, last: int, opening: str = "") -> str:
        """The elements from `first` to `last`; the first one has the attributes `opening`."""
        entries: list[str] = []
        for duration, run in groupby(self._durations(first, last)):
            # In Smooth, r counts all fragments of a run; in DASH it counts only the repetitions.
            count = len(list(run))
            repeats = f' r="{count}"' if count > 1 else ""
            entries.append(f'<c{opening} d="{duration}"{repeats}/>')
            opening = ""
        return "".join(entries)


def _list_of(window: Window, track: WindowTrack) -> ListSlice:
    """The list of a track's fragments."""
    fragments = listed(window, track)
    elements = _FragmentList(window, track, fragments)
    opening = f' t="{elements.begin(fragments[0])}"'
    return ListSlice(
        first=window.first,
        lead_until=fragments[0].number,
        last=fragments[-1].number,
        # The duration of the last fragment is final once another one follows.
        settled=fragments[-2].number if len(fragments) > 1 else -1,
        known=fragments[-1].number,
        render_lead=lambda first, last: elements.text(first, last, opening),
        render=elements.text,
    )
