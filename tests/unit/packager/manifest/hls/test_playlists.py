import re
from dataclasses import replace
from datetime import UTC, datetime
from fractions import Fraction
from itertools import pairwise
from unittest.mock import patch

import m3u8
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from packager.manifest.hls import media, multivariant
from packager.manifest.window import Window, WindowTrack
from packager.timeline.records import Record
from packager.timing.grid import Grid
from packager.timing.ticks import MICROS, parse_iso8601
from packager.track import Track, TrackKind
from tests.support.hls_reader import entries
from tests.support.windows import (
    another_ladder,
    any_window,
    begin_of,
    current,
    length_of,
    rolled,
    several_sounds,
    windows,
)


def playlists(window: Window) -> dict[str, str]:
    return {
        track.latest.id: media.render(window, track).plain().decode() for track in window.tracks
    }


@given(any_window())
def test_an_independent_reader(window: Window) -> None:
    for track in window.tracks:
        text = media.render(window, track).plain().decode()
        playlist = m3u8.loads(text)
        assert playlist.version == 8
        assert playlist.media_sequence == window.first
        assert len(playlist.segments) == window.last - window.first + 1
        assert playlist.is_endlist == window.ended
        real = {segment.number: segment for segment in track.segments}
        for number, item in enumerate(playlist.segments, window.first):
            assert item.uri == f"{number}.m4s"
            assert round(item.duration + 1e-9) <= playlist.target_duration
            assert bool(item.gap_tag) == (number not in real)
            if (segment := real.get(number)) is None:
                continue
            assert abs(Fraction(item.duration) - length_of(window, track, segment)) < Fraction(
                1, MICROS
            )
            begin = datetime.fromtimestamp(begin_of(window, track, segment) / MICROS, UTC)
            assert item.program_date_time is not None
            assert abs((item.program_date_time - begin).total_seconds()) <= 0.0006
            version = window.track_of(track.latest.id, segment).version
            assert item.init_section.uri == f"init-{version}.mp4"


@given(any_window())
def test_the_order_of_the_head(window: Window) -> None:
    for text in playlists(window).values():
        head = [line.partition(":")[0] for line in text.splitlines()[:5]]
        assert head == [
            "#EXTM3U",
            "#EXT-X-VERSION",
            "#EXT-X-TARGETDURATION",
            "#EXT-X-MEDIA-SEQUENCE",
            "#EXT-X-DISCONTINUITY-SEQUENCE",
        ]


@given(any_window())
def test_the_discontinuity_sequence_is_the_period(window: Window) -> None:
    for track in window.tracks:
        found = entries(media.render(window, track).plain().decode())
        for segment in track.segments:
            assert found[segment.number].discontinuity == segment.period


@given(any_window())
def test_a_gap_has_the_period_that_other_tracks_have_there(window: Window) -> None:
    known = {s.number: s.period for track in window.tracks for s in track.segments}
    for text in playlists(window).values():
        for number, entry in entries(text).items():
            if entry.gap and number in known:
                assert entry.discontinuity == known[number]


@given(any_window())
def test_a_gap_lasts_from_where_the_media_before_it_ends_to_the_next_boundary(
    window: Window,
) -> None:
    for track in window.tracks:
        ends = {
            s.number: begin_of(window, track, s) + round(length_of(window, track, s) * MICROS)
            for s in track.segments
        }
        end = 0
        for number, entry in entries(media.render(window, track).plain().decode()).items():
            if entry.gap:
                begin = parse_iso8601(entry.date)
                assert abs(begin - max(end, window.grid.micros(number))) < 1000
                end = begin + round(Fraction(entry.duration.rstrip(",")) * MICROS)
                boundary = window.grid.micros(number + 1)
                assert abs(end - boundary) < 1000 or boundary < begin + 1000
            else:
                end = ends[number]


@given(any_window())
def test_a_map_once_a_period(window: Window) -> None:
    for track in window.tracks:
        text = media.render(window, track).plain().decode()
        assert text.count("#EXT-X-MAP") == len({s.period for s in track.segments})


@given(rolled)
def test_playlists_agree_as_the_window_rolls(case: tuple[list[Record], int]) -> None:
    for before, after in pairwise(windows(*case)):
        one, two = playlists(before), playlists(after)
        for name in one.keys() & two.keys():
            old, new = entries(one[name]), entries(two[name])
            assert min(new) >= min(old)
            assert max(new) >= max(old)
            for number in old.keys() & new.keys():
                was, now = old[number], new[number]
                if was.gap:
                    # It may have arrived late; then it lies where the gap was.
                    now = replace(
                        now, gap=True, init=was.init, date=was.date, duration=was.duration
                    )
                assert now == was
            assert target(two[name]) >= target(one[name])


def target(text: str) -> int:
    return int(text.split("TARGETDURATION:")[1].split("\n", maxsplit=1)[0])


@given(any_window(calm=True))
def test_dates_and_durations_give_the_same_time(window: Window) -> None:
    for track in window.tracks:
        found = entries(media.render(window, track).plain().decode())
        for segment, following in pairwise(track.segments):
            if following.number != segment.number + 1:
                continue
            begin = parse_iso8601(found[segment.number].date)
            length = Fraction(found[segment.number].duration.rstrip(",")) * MICROS
            end = parse_iso8601(found[following.number].date)
            assert abs(begin + length - end) <= 1001


def test_a_target_duration_is_read() -> None:
    assert m3u8.loads("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:1.92,\na").target_duration == 2


# The multivariant playlist.


@given(any_window())
def test_multivariant(window: Window) -> None:
    playlist = m3u8.loads(multivariant.render(window).plain().decode())
    video, audio = current(window, TrackKind.VIDEO), current(window, TrackKind.AUDIO)
    assert playlist.is_variant == bool(video)
    assert playlist.is_independent_segments
    assert [item.uri for item in playlist.playlists] == [
        f"{track.latest.id}/index.m3u8" for track in video
    ]
    for item, track in zip(playlist.playlists, video, strict=True):
        info, latest = item.stream_info, track.latest
        codecs = [latest.codecs, *(sound.latest.codecs for sound in audio)]
        assert info.codecs == ",".join(codecs)
        assert info.resolution == (latest.width, latest.height)
        assert info.frame_rate == 25.0
        assert info.audio == ("mp4a" if audio else None)
        assert 0 < info.average_bandwidth <= info.bandwidth
        assert info.bandwidth >= peak(window, track) + max(
            (peak(window, a) for a in audio), default=0
        )
        assert info.average_bandwidth >= mean(track)
    assert [item.uri for item in playlist.media] == [
        f"{track.latest.id}/index.m3u8" for track in audio
    ]
    for item in playlist.media:
        assert (item.type, item.group_id, item.language) == ("AUDIO", "mp4a", "en")
        assert (item.autoselect, item.channels) == ("YES", "2")


def test_renditions_of_an_earlier_ladder_are_left_out() -> None:
    playlist = m3u8.loads(multivariant.render(another_ladder(1)).plain().decode())
    assert [item.uri for item in playlist.playlists] == ["v2/index.m3u8"]
    assert [item.uri for item in playlist.media] == ["a1/index.m3u8"]


def test_each_audio_codec_is_a_group_that_every_rendition_has() -> None:
    playlist = m3u8.loads(multivariant.render(several_sounds()).plain().decode())
    assert [(m.group_id, m.name, m.language, m.default, m.channels) for m in playlist.media] == [
        ("mp4a", "en", "en", "YES", "2"),
        ("mp4a", "de", "de", "NO", "2"),
        ("mp4a", "a3", None, "NO", "1"),
        ("mp4a", "a10", None, "NO", "1"),
        ("ac-3", "en", "en", "YES", "6"),
    ]
    variants = [(item.uri, item.stream_info) for item in playlist.playlists]
    assert [(uri, info.audio, info.codecs) for uri, info in variants] == [
        ("v0/index.m3u8", "mp4a", "avc1.64001e,mp4a.40.2"),
        ("v0/index.m3u8", "ac-3", "avc1.64001e,ac-3"),
    ]


def test_audio_tracks_of_one_language_have_names_of_their_own() -> None:
    window = several_sounds()
    same = tuple(
        replace(t, latest=msgspec.structs.replace(t.latest, language="eng", codecs="mp4a.40.2"))
        for t in window.tracks
    )
    playlist = m3u8.loads(multivariant.render(replace(window, tracks=same)).plain().decode())
    names = [item.name for item in playlist.media]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("longest", "expected"),
    [
        (1_920_000, 2),
        (1_931_000, 2),
        (2_000_000, 3),
        (3_000_000, 4),
        (4_000_000, 4),
        (10_000_000, 15),
    ],
)
def test_the_target_leaves_room_where_keyframes_are_irregular(longest: int, expected: int) -> None:
    window = several_sounds()
    video = replace(window.tracks[0], longest=longest)
    grid = Grid(Fraction(48, 25))
    other = replace(
        window, grid=grid, tracks=(video, *(replace(t, longest=0) for t in window.tracks[1:]))
    )
    for track in other.tracks:
        assert target(media.render(other, track).plain().decode()) == expected


def peak(window: Window, track: WindowTrack) -> Fraction:
    """The highest bit/s of the segments that are no stumps."""
    return max(
        (
            segment.size * 8 / length_of(window, track, segment)
            for segment in track.segments
            if 2 * length_of(window, track, segment) >= window.grid.duration
        ),
        default=Fraction(0),
    ) - Fraction(1, 2)


def mean(track: WindowTrack) -> Fraction:
    length = sum(segment.duration for segment in track.segments)
    bits = sum(segment.size for segment in track.segments) * 8
    return Fraction(bits * track.latest.timescale, length) - Fraction(1, 2)


@given(any_window())
def test_the_best_rendition_is_first_and_the_first_audio_is_default(window: Window) -> None:
    text = multivariant.render(window).plain().decode()
    rates = [track.latest.bitrate for track in current(window, TrackKind.VIDEO)]
    assert rates == sorted(rates, reverse=True)
    assert text.count("DEFAULT=YES") == bool(current(window, TrackKind.AUDIO))


@given(any_window())
def test_a_feed_without_audio_names_no_group(window: Window) -> None:
    silent = tuple(track for track in window.tracks if track.latest.kind is TrackKind.VIDEO)
    text = multivariant.render(replace(window, tracks=silent)).plain().decode()
    assert "AUDIO" not in text
    assert "mp4a" not in text


@given(any_window())
def test_frame_rates_have_three_decimals(window: Window) -> None:
    def with_rate(track: Track, rate: Fraction | None) -> Track:
        return msgspec.structs.replace(track, frame_rate=rate)

    for rate, text in (
        (Fraction(30000, 1001), ",FRAME-RATE=29.970"),
        (Fraction(24000, 1001), ",FRAME-RATE=23.976"),
        (Fraction(50), ",FRAME-RATE=50.000"),
        (None, ""),
    ):
        tracks = tuple(replace(t, latest=with_rate(t.latest, rate)) for t in window.tracks)
        found = multivariant.render(replace(window, tracks=tracks)).plain().decode()
        count = len(current(window, TrackKind.VIDEO))
        assert found.count(",FRAME-RATE=") == (count if text else 0)
        assert found.count(text) >= (count if text else 0)


@given(any_window())
def test_two_renders_are_the_same_bytes(window: Window) -> None:
    assert multivariant.render(window) == multivariant.render(window)
    assert playlists(window) == playlists(window)


# Delta updates.


@given(any_window(), st.integers(1, 4))
def test_a_delta_update_and_its_skipped_entries_equal_the_playlist(
    window: Window, few: int
) -> None:
    window = replace(window, depth=None)
    with patch.object(media, "_SKIP_BOUNDARY", few):
        for track in window.tracks:
            whole = media.render(window, track).plain().decode()
            delta = media.render(window, track, skip=True).plain().decode()
            control = f"CAN-SKIP-UNTIL={few * target(whole)}.0"
            assert control in delta
            assert (control in whole) == (not window.ended)
            listed = whole.count("#EXTINF")
            if (found := re.search("EXT-X-SKIP:SKIPPED-SEGMENTS=([0-9]+)\n", delta)) is None:
                assert entries(delta) == entries(whole)
                assert (listed - 2) * window.grid.duration <= few * target(whole)
                continue
            assert "EXT-X-VERSION:9\n" in delta
            skipped = int(found[1])
            assert skipped > 0
            assert (listed - skipped) * window.grid.duration >= few * target(whole)
            kept = list(entries(whole).values())[skipped:]
            listed_again = list(entries(delta).values())
            # Of a delta update the reader here counts discontinuities from the first segment on.
            passed = kept[0].discontinuity - listed_again[0].discontinuity
            assert passed >= 0
            for entry, again in zip(kept, listed_again, strict=True):
                init = entry.init if entry.gap else again.init
                discontinuity = again.discontinuity + passed
                assert replace(again, discontinuity=discontinuity, init=init) == entry


@given(any_window())
def test_short_windows_have_no_delta_updates(window: Window) -> None:
    for track in window.tracks:
        assert media.render(window, track, skip=True) == media.render(window, track)
        assert "CAN-SKIP" not in media.render(window, track).plain().decode()
