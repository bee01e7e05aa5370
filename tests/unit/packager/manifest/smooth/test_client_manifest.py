from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given

from packager.manifest.smooth import client_manifest
from packager.manifest.smooth.client_manifest import listed
from packager.manifest.window import Window
from packager.timeline.records import Record
from packager.timing.smooth_time import TIMESCALE, span
from packager.track import Track, TrackKind
from tests.support.smooth_reader import document, shown, streams, unrolled
from tests.support.strategies import described
from tests.support.windows import (
    another_ladder,
    any_window,
    rolled,
    several_sounds,
    windows,
)


@pytest.mark.parametrize(
    ("segments", "expected"), [(1, ["v0", "v1", "a0"]), (2, ["v2", "a1"]), (5, ["v2", "a1"])]
)
def test_renditions_of_an_earlier_ladder_are_left_out(segments: int, expected: list[str]) -> None:
    rates = [
        int(level.get("Bitrate", ""))
        for _, stream in streams(another_ladder(segments))
        for level in stream.iter("QualityLevel")
    ]
    assert rates == [described(name).bitrate for name in expected]


@given(any_window())
def test_fragments_unrolled_are_the_segments(window: Window) -> None:
    for kind, stream in streams(window):
        track = shown(window, kind)[0]
        spans = [
            span(segment.start, segment.end, window.track_of(track.latest.id, segment).timescale)
            for segment in track.segments
        ]
        expected = spans if window.ended else spans[:-1]
        # A fragment before a hole lasts until the next begins.
        lasts = [after[0] - before[0] for before, after in pairwise(expected)]
        lasts += [duration for _, duration in expected[-1:]]
        starts = [start for start, _ in expected]
        assert unrolled(stream) == list(zip(starts, lasts, strict=True))
        assert int(stream.get("Chunks", "")) == len(expected)


@given(any_window())
def test_the_last_listed_has_a_successor(window: Window) -> None:
    for track in window.tracks:
        listed = list(client_manifest.listed(window, track))
        assert listed == list(track.segments)[: len(listed)]
        if not window.ended:
            assert len(listed) == len(track.segments) - 1


@given(rolled)
def test_fragments_stay_as_the_window_rolls(case: tuple[list[Record], int]) -> None:
    for before, after in pairwise(windows(*case)):
        old = {kind: unrolled(stream) for kind, stream in streams(before)}
        for kind, stream in streams(after):
            was_first = [track.latest.id for track in shown(before, kind)[:1]]
            if was_first == [shown(after, kind)[0].latest.id]:
                new = unrolled(stream)
                was = [item for item in old[kind] if not new or item[0] >= new[0][0]]
                # The last one's duration grows if a hole follows it.
                assert not new or not was or set(was[:-1]) <= set(new)
                assert not new or not was or was[-1][0] in [start for start, _ in new]


@given(any_window())
def test_live_or_over(window: Window) -> None:
    root = document(window)
    assert root.get("TimeScale") == str(TIMESCALE)
    assert root.get("IsLive") == (None if window.ended else "TRUE")
    if window.ended:
        assert int(root.get("Duration", "")) > 0
        assert root.get("LookAheadFragmentCount") is None
        assert root.get("DVRWindowLength") is None
    else:
        assert root.get("Duration") == "0"
        assert root.get("LookAheadFragmentCount") == "1"
        depth = Fraction(int(root.get("DVRWindowLength", "")), TIMESCALE)
        assert abs(depth - window.depth * window.grid.duration) <= Fraction(1, TIMESCALE)


@given(any_window())
def test_quality_levels(window: Window) -> None:
    for kind, stream in streams(window):
        levels = list(stream.iter("QualityLevel"))
        assert int(stream.get("QualityLevels", "")) == len(levels)
        rates = [int(level.get("Bitrate", "")) for level in levels]
        assert len(set(rates)) == len(rates), "a bit rate is an address"
        assert [level.get("Index") for level in levels] == [str(i) for i in range(len(levels))]
        for level, track in zip(levels, shown(window, kind), strict=True):
            assert level.get("CodecPrivateData") == track.latest.codec_private
            video = kind is TrackKind.VIDEO
            assert level.get("FourCC") == ("H264" if video else "AACL")
            assert level.get("AudioTag") == (None if video else "255")
            assert level.get("MaxWidth") == (str(track.latest.width) if video else None)
            assert level.get("SamplingRate") == (None if video else "48000")
        expected = f"QualityLevels({{bitrate}})/Fragments({kind}={{start time}})"
        assert stream.get("Url") == expected


@given(any_window())
def test_codecs_that_smooth_cannot_carry_are_left_out(window: Window) -> None:
    def as_ac3(track: Track) -> Track:
        return msgspec.structs.replace(track, codecs="ac-3", codec_private="")

    tracks = tuple(
        replace(track, latest=as_ac3(track.latest))
        if track.latest.kind is TrackKind.AUDIO
        else track
        for track in window.tracks
    )
    if shown(window, TrackKind.VIDEO):
        kinds = [kind for kind, _ in streams(replace(window, tracks=tracks))]
        assert kinds == [TrackKind.VIDEO]


@given(any_window())
def test_tracks_that_smooth_cannot_carry_have_no_fragments(window: Window) -> None:
    for track in window.tracks:
        other = replace(track, latest=msgspec.structs.replace(track.latest, codecs="ac-3"))
        for ended in (False, True):
            assert len(listed(replace(window, ended=ended), other)) == 0


def test_each_audio_track_is_a_stream_of_its_own() -> None:
    found = [
        (
            stream.get("Type"),
            stream.get("Name"),
            stream.get("Language"),
            stream.get("QualityLevels"),
        )
        for stream in document(several_sounds()).iter("StreamIndex")
    ]
    assert found == [
        ("video", "video", None, "1"),
        ("audio", "a0", "eng", "1"),
        ("audio", "a1", "ger", "1"),
        ("audio", "a3", None, "1"),
        ("audio", "a10", None, "1"),
    ]
    rates = [level.get("Bitrate") for level in document(several_sounds()).iter("QualityLevel")]
    assert len(set(rates)) == len(rates)
