"""Durations of parts, and audio that is cut into them."""

from fractions import Fraction
from struct import unpack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packager.cmaf.boxes import children
from packager.cmaf.smooth_fragment import smooth_fragment
from packager.config.ladder import AudioRendition, EncodeLadder, PassthroughLadder, VideoRendition
from packager.config.parts import Parts, parts_of
from packager.timeline.records import ChunkAdded
from packager.timing.grid import Grid
from packager.timing.ticks import MICROS
from tests.support.made_feeds import (
    START,
    audio_track,
    begin,
    in_media_order,
    play,
    segmenter_for,
    video_track,
)

GRIDS = {
    Fraction(25): (Fraction(48, 25), Fraction(8, 25)),
    Fraction(50): (Fraction(48, 25), Fraction(8, 25)),
    Fraction(30): (Fraction(32, 15), Fraction(4, 15)),
    Fraction(60): (Fraction(32, 15), Fraction(4, 15)),
    Fraction(24): (Fraction(8, 3), Fraction(1, 3)),
    Fraction(30_000, 1001): (Fraction(1001, 500), Fraction(1001, 3000)),
}
"""Frame rate -> segment, part."""
LEAST = Fraction(85, 100)
"""Of the target: only the last part of a segment is shorter (RFC 8216bis 4.4.4.9)."""


def ladder(rate: Fraction, segment: Fraction, sound: int = 48_000) -> EncodeLadder:
    return EncodeLadder(
        name="low",
        frame_rate=rate,
        segment=segment,
        video=(VideoRendition(id="v0", width=640, height=360, bitrate=800_000),),
        audio=AudioRendition(sample_rate=44_100 if sound == 44_100 else 48_000),
        latency="low",
    )


@pytest.mark.parametrize("rate", GRIDS, ids=lambda rate: f"{float(rate):.3f}")
@pytest.mark.parametrize("sound", [48_000, 44_100])
def test_parts_are_whole_frames_and_an_equal_share_of_a_segment(rate: Fraction, sound: int) -> None:
    segment, length = GRIDS[rate]
    parts = parts_of(ladder(rate, segment, sound), segment)
    assert parts is not None
    assert parts.length == length
    assert (length * rate).denominator == (segment / length).denominator == 1
    assert LEAST * parts.target <= length <= parts.target


def test_standard_latency_has_no_parts_and_passthrough_has_parts_by_time() -> None:
    standard = PassthroughLadder(name="p", segment=Fraction(2))
    assert parts_of(standard, Fraction(2)) is None
    low = PassthroughLadder(name="p", segment=Fraction(2), latency="low")
    parts = parts_of(low, Fraction(2))
    assert parts is not None
    assert LEAST * parts.target < parts.length


@given(
    made=st.sampled_from(list(GRIDS.items())),
    cuts=st.lists(st.integers(1, 40), min_size=1, max_size=12),
    late=st.integers(-1023, 5 * 1024),
    on_grid=st.booleans(),
)
def test_audio_is_cut_into_parts_for_any_chunks(
    made: tuple[Fraction, tuple[Fraction, Fraction]], cuts: list[int], late: int, *, on_grid: bool
) -> None:
    rate, (segment, length) = made
    parts = parts_of(ladder(rate, segment), segment)
    assert parts is not None
    grid, frames = Grid(segment), int(segment * rate)
    video = video_track(0, rate, range(0, 5 * frames, frames), 5 * frames, [int(length * rate)])
    count = int(5 * segment * 48_000 / 1024)
    audio = audio_track(9, count, cuts, start=Fraction(late, 48_000))
    played = begin(grid)
    segmenter = segmenter_for(played, (video, audio), on_grid=on_grid, parts=parts)
    turns = in_media_order((video, audio))
    play(played, (video, audio), turns, on_grid=on_grid, base=START, segmenter=segmenter)
    period = played.timeline.periods[0]
    assert period.part == -(-parts.target * MICROS // 1)
    chunks = [record for record in played.of(ChunkAdded) if record.track == "a9"]
    assert chunks
    for chunk, following in zip(chunks, [*chunks[1:], None], strict=True):
        duration = Fraction(chunk.duration, 48_000)
        assert duration <= parts.target
        if following is not None and following.number == chunk.number:
            assert duration >= LEAST * parts.target
            assert chunk.start + chunk.duration == following.start


def test_a_gap_ends_a_part() -> None:
    """A gap within a segment ends a part; the next part begins after the gap."""
    parts = Parts(Fraction(8, 25), Fraction(8, 25))
    video = video_track(0, Fraction(25), [0, 48], 96, [8])
    first = audio_track(9, 20, [1])
    after = audio_track(9, 40, [1], start=Fraction(30 * 1024, 48_000))
    played = begin(Grid(Fraction(48, 25)))
    segmenter = segmenter_for(played, (video, first), on_grid=False, parts=parts)
    sound = type(first)(first.spec, first.facts, (*first.runs, *after.runs))
    play(
        played,
        (video, sound),
        in_media_order((video, sound)),
        on_grid=False,
        base=START,
        segmenter=segmenter,
    )
    chunks = [record for record in played.of(ChunkAdded) if record.track == "a9"]
    frames = [chunk.duration // 1024 for chunk in chunks if chunk.number == chunks[0].number]
    assert frames[:2] == [15, 5]
    assert sum(chunk.duration for chunk in chunks) == 60 * 1024


def test_each_segment_begins_with_its_arrival_time() -> None:
    """A `prft` before the first chunk: media time, and the clock then (ISO/IEC 14496-12 8.16.5)."""
    rate, grid = Fraction(25), Grid(Fraction(48, 25))
    parts = Parts(Fraction(8, 25), Fraction(8, 25))
    tracks = (video_track(0, rate, [0, 48, 96], 144, [8]), audio_track(9, 270, [7]))
    played = begin(grid)
    segmenter = segmenter_for(played, tracks, on_grid=True, parts=parts)
    play(played, tracks, in_media_order(tracks), on_grid=True, base=START, segmenter=segmenter)
    anchor = played.timeline.periods[0].anchor
    scales = {track.spec.id: track.facts.timescale for track in tracks}
    assert len(played.media) > 4
    for (track, number), data in played.media.items():
        boxes = list(children(data, 0, len(data)))
        assert [box.type for box in boxes] == [b"prft", *[b"moof", b"mdat"] * (len(boxes) // 2)]
        body = unpack(">IIIIq", data[boxes[0].body : boxes[0].end])
        assert body[:2] == (1 << 24, 1)
        start = next(
            c.start for c in played.of(ChunkAdded) if (c.track, c.number) == (track, number)
        )
        assert body[4] == start
        seen = body[2] - 2_208_988_800 + Fraction(body[3], 1 << 32)
        late = seen - Fraction(start, scales[track])
        assert abs(late - Fraction(anchor.seen - anchor.utc, MICROS)) <= Fraction(1, MICROS)
        # Smooth has no use for it.
        length = sum(run.duration for run in played.runs(track, number))
        smooth = smooth_fragment(data, scales[track], (0, length), [])
        assert [box.type for box in children(smooth, 0, len(smooth))] == [b"moof", b"mdat"]
