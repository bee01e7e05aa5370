"""The inspector of transport streams: whole feeds, faults made by hand, any bytes."""

import subprocess
from functools import partial
from itertools import pairwise
from pathlib import Path

import imageio_ffmpeg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from packager.container.pes import pts_of
from packager.feed.mpegts import TsInspector
from packager.feed.report import Report
from packager.timing.ticks import MICROS
from tests.paths import EXTRA_FEEDS
from tests.support import footage
from tests.support.inspection import Inspected, inspected
from tests.support.strategies import split
from tests.support.transport import (
    AAC,
    H264,
    HEVC,
    IDR,
    MAP,
    MPEG2,
    PACKET,
    PPS,
    RECOVERY,
    SLICE,
    SOUND,
    SPS,
    VIDEO,
    Mux,
    pat,
    pes,
    pmt,
)

TRAIN = footage.train().read_bytes()
JUNK = footage.with_junk().read_bytes()
FRAME = 3600
"""Ticks of a picture at 25 a second."""


def by_its_clock(data: bytes, step: int = 1316) -> Inspected:
    """Inspect `data`, paced by its own clock."""
    looking = TsInspector()
    starts, out, size = [], [], 0
    for at in range(0, len(data), step):
        for piece in looking.push(data[at : at + step], looking.elapsed):
            if piece.starts:
                starts.append(size)
            out.append(piece.data)
            size += len(piece.data)
    report = looking.report(looking.elapsed)
    return Inspected(b"".join(out), tuple(starts), looking.prelude, looking.revision, report)


def pid_of(packet: bytes) -> int:
    return int.from_bytes(packet[1:3]) & 0x1FFF


def packets_of(data: bytes) -> list[bytes]:
    return [data[at : at + PACKET] for at in range(0, len(data), PACKET)]


# Whole feeds.

SAMPLE = Report(still_ms=66, mute_ms=0, video="mpeg2video", audio=("mp2",))
DESCRIBED: list[tuple[footage.Feed, Report, int]] = [
    (
        partial(Path, footage.SMALL / "harbour.ts"),
        Report(
            bitrate=65_273,
            frame_rate=25.0,
            keyframe_interval=1.0,
            skew_ms=-545,
            dropped_frames=29,
            late_frames=1,
            still_ms=80,
            mute_ms=0,
            video="h264",
            audio=("aac",),
        ),
        7,
    ),
    (
        partial(Path, footage.SMALL / "train.ts"),
        Report(
            bitrate=82_118,
            frame_rate=30.0,
            keyframe_interval=2.0,
            skew_ms=-546,
            still_ms=0,
            mute_ms=0,
            video="h264",
            audio=("aac",),
        ),
        4,
    ),
    (footage.mpeg2, SAMPLE, 1),
    (footage.without_delimiters, Report(silent_ms=33, still_ms=33, video="h264"), 1),
    (footage.with_cues, SAMPLE, 1),
]
"""Feeds, the expected report of each, and its number of keyframes."""
RECORDED = {
    "harbour-1080p25.ts": (
        Report(
            bitrate=3_846_931,
            frame_rate=25.0,
            keyframe_interval=1.129,
            skew_ms=-259,
            dropped_frames=49,
            late_frames=1,
            still_ms=80,
            mute_ms=0,
            video="h264",
            audio=("aac",),
        ),
        6,
    ),
    "train-360p30.ts": (
        Report(
            bitrate=1_139_129,
            frame_rate=30.0,
            keyframe_interval=2.0,
            skew_ms=-347,
            still_ms=0,
            mute_ms=0,
            video="h264",
            audio=("aac",),
        ),
        5,
    ),
    "sample_h262_mpeg_audio.ts": (SAMPLE, 1),
    "sample_h264_no_access_unit_delimiters.ts": (
        Report(silent_ms=66, still_ms=66, video="h264"),
        1,
    ),
    "sample_scte35.ts": (SAMPLE, 1),
}
"""The same of feeds that may lie beside the repository."""
DESCRIBED += [
    (partial(Path, path), *RECORDED[path.name]) for path in EXTRA_FEEDS if path.name in RECORDED
]


@pytest.mark.parametrize(("feed", "report", "keyframes"), DESCRIBED)
def test_a_feed_is_described_and_passes_unchanged(
    feed: footage.Feed, report: Report, keyframes: int
) -> None:
    data = feed().read_bytes()
    seen = by_its_clock(data)
    assert (seen.report, len(seen.starts)) == (report, keyframes)
    assert seen.data == data


def test_junk_is_left_out_and_counted_and_packets_are_not() -> None:
    clean = footage.mpeg2().read_bytes()
    seen = by_its_clock(JUNK)
    assert seen.data == clean[: len(seen.data)]
    assert len(seen.data) == len(clean)
    assert 0 < seen.report.junk_bytes <= len(JUNK) - len(clean)
    assert seen.report.continuity_errors == 0


def test_pieces_start_at_the_packet_in_which_a_keyframe_begins() -> None:
    seen = by_its_clock(TRAIN)
    for start in seen.starts:
        packet = seen.data[start : start + PACKET]
        assert pid_of(packet) == 0x100
        assert packet[1] & 0x40
        unit = seen.data[start : start + 5 * PACKET]
        assert b"\0\0\1\x67" in unit
    assert [(b - a) % PACKET for a, b in pairwise(seen.starts)] == [0] * 4


def test_a_decoder_can_begin_with_the_prelude_and_a_piece_that_starts(tmp_path: Path) -> None:
    seen = by_its_clock(TRAIN)
    rest = tmp_path / "rest.ts"
    rest.write_bytes(seen.prelude + seen.data[seen.starts[3] :])
    program = imageio_ffmpeg.get_ffmpeg_exe()
    decoded = subprocess.run(
        [program, "-v", "error", "-xerror", "-i", rest, "-map", "0:v", "-f", "null", "-"],
        capture_output=True,
        check=False,
    )
    assert (decoded.returncode, decoded.stderr) == (0, b"")


def test_a_push_becomes_one_piece_but_where_a_keyframe_begins() -> None:
    looking = TsInspector()
    for at in range(0, len(TRAIN), 1316):
        pieces = looking.push(TRAIN[at : at + 1316], 0)
        assert len(pieces) <= 1 + sum(piece.starts for piece in pieces)


@pytest.mark.parametrize(("before", "after"), [(4, 0), (0, 16)])
def test_packets_of_other_sizes_are_cut_down(before: int, after: int) -> None:
    wrapped = b"".join(
        b"\x11" * before + packet + b"\x22" * after for packet in packets_of(TRAIN[:188_000])
    )
    seen = by_its_clock(wrapped)
    assert seen.data == TRAIN[: len(seen.data)]
    assert len(seen.data) >= 188_000 - 2 * PACKET
    assert seen.report.continuity_errors == 0
    assert seen.report.junk_bytes == before


# Faults made by hand.


def places(pid: int, first: int = 0) -> list[int]:
    """Numbers of the packets of the train that have payload and go on with a unit."""
    return [
        number
        for number, packet in enumerate(packets_of(TRAIN))
        if number >= first and pid_of(packet) == pid and not packet[1] & 0x40 and packet[3] & 0x10
    ]


def test_a_lost_packet_is_counted() -> None:
    packets = packets_of(TRAIN)
    del packets[places(0x100, 1000)[0]]
    assert by_its_clock(b"".join(packets)).report.continuity_errors == 1


def test_lost_packets_are_counted_each() -> None:
    packets = packets_of(TRAIN)
    gone = places(0x100, 1000)[:7]
    left = [packet for number, packet in enumerate(packets) if number not in gone]
    assert by_its_clock(b"".join(left)).report.continuity_errors == 7


def test_swapped_packets_are_one_error() -> None:
    packets = packets_of(TRAIN)
    number = next(a for a, b in pairwise(places(0x100, 1000)) if b == a + 1)
    packets[number : number + 2] = reversed(packets[number : number + 2])
    assert by_its_clock(b"".join(packets)).report.continuity_errors == 1


@pytest.mark.parametrize(("times", "errors"), [(1, 0), (2, 1)])
def test_a_packet_may_be_repeated_once(times: int, errors: int) -> None:
    packets = packets_of(TRAIN)
    number = places(0x100, 1000)[0]
    packets[number:number] = [packets[number]] * times
    seen = by_its_clock(b"".join(packets))
    assert seen.report.continuity_errors == errors
    assert seen.data == b"".join(packets)


def test_a_damaged_packet_is_one_error() -> None:
    packets = packets_of(TRAIN)
    number = places(0x100, 1000)[0]
    damaged = bytearray(packets[number])
    damaged[1] |= 0x80
    packets[number] = bytes(damaged)
    assert by_its_clock(b"".join(packets)).report.continuity_errors == 1


def test_a_loop_is_a_jump() -> None:
    assert by_its_clock(TRAIN + TRAIN).report.jumps == 1


def test_missing_audio_is_reported() -> None:
    packets = packets_of(TRAIN)
    half = len(packets) // 2
    left = packets[:half] + [one for one in packets[half:] if pid_of(one) != 0x101]
    mute = by_its_clock(b"".join(left)).report.mute_ms
    assert mute is not None
    assert 3000 < mute < 7000


# Made packet by packet.


def a_feed(
    count: int = 100, *, begin: int = 90_000, keyframes: int = 25, key: bytes = SPS + PPS + IDR
) -> Mux:
    """A stream with 25 frames a second, each with audio."""
    mux = Mux()
    mux.tables()
    for number in range(count):
        ticks = begin + number * FRAME
        mux.picture(ticks, SLICE if number % keyframes else key, clock=ticks)
        mux.sound(ticks)
    return mux


def report_of(mux: Mux) -> Report:
    return inspected(TsInspector(), [mux.take()]).report


@pytest.mark.parametrize("begin", [90_000, 2**33 - 50 * FRAME])
def test_timestamps_that_wrap_are_no_jump(begin: int) -> None:
    report = report_of(a_feed(begin=begin))
    assert (report.jumps, report.dropped_frames, report.late_frames) == (0, 0, 0)
    assert (report.frame_rate, report.keyframe_interval, report.skew_ms) == (25.0, 1.0, -40)


def test_missing_frames_are_counted() -> None:
    mux = a_feed()
    mux.picture(90_000 + 103 * FRAME)
    assert report_of(mux).dropped_frames == 3


def test_an_announced_discontinuity_is_no_jump() -> None:
    for flags, jumps in ((0, 1), (0x80, 0)):
        mux = a_feed()
        mux.picture(90_000 + 5000 * FRAME, clock=90_000 + 5000 * FRAME, flags=flags)
        assert report_of(mux).jumps == jumps


def test_without_a_pcr_the_dts_is_the_clock() -> None:
    looking, mux = TsInspector(), Mux()
    mux.section(0, pat({1: MAP}))
    mux.section(MAP, pmt(1, [(H264, VIDEO, b"")], 0x1FFF))
    for number in range(51):
        mux.picture(90_000 + number * FRAME)
    looking.push(mux.take(), 0)
    assert looking.elapsed == 2 * MICROS


def test_a_late_frame_is_counted() -> None:
    looking, mux = TsInspector(), a_feed(50)
    looking.push(mux.take(), 0)
    mux.picture(90_000 + 50 * FRAME)
    looking.push(mux.take(), MICROS // 2)
    assert looking.report(0).late_frames == 0
    mux.picture(90_000 + 51 * FRAME)
    looking.push(mux.take(), MICROS + 50_000)
    assert looking.report(0).late_frames == 1


def test_a_stopped_stream_is_reported() -> None:
    looking, mux = TsInspector(), a_feed(50)
    looking.push(mux.take(), MICROS)
    mux.sound(90_000 + 50 * FRAME)
    looking.push(mux.take(), 3 * MICROS)
    report = looking.report(4 * MICROS)
    assert (report.silent_ms, report.still_ms, report.mute_ms) == (1000, 3000, 1000)


def test_an_end_of_packets_without_payload_is_no_loss() -> None:
    mux = a_feed(10)
    for number in range(5):
        mux.packet(VIDEO, clock=90_000 + (10 + number) * FRAME)
    mux.picture(90_000 + 10 * FRAME)
    assert report_of(mux).continuity_errors == 0


def test_a_counter_may_jump_where_that_is_announced() -> None:
    for flags, errors in ((0, 4), (0x80, 0)):
        mux = a_feed(10)
        mux.counters[VIDEO] = (mux.counters[VIDEO] + 4) & 15
        mux.picture(90_000 + 10 * FRAME, flags=flags)
        assert report_of(mux).continuity_errors == errors


@pytest.mark.parametrize(
    ("kind", "key", "other"),
    [
        (H264, SPS + PPS + IDR, SLICE),
        (H264, b"\0\0\1\x09\x10" + SPS + PPS + IDR, b"\0\0\1\x09\x30" + SLICE),
        (H264, SPS + PPS + RECOVERY + SLICE, SLICE),
        (H264, SPS + PPS + b"\0\0\1\x06\x05\xff\xff\xff" + b"x" * 900, SLICE),
        (HEVC, b"\0\0\1\x40\x01\0\0\1\x42\x01\0\0\1\x26\x01", b"\0\0\1\x02\x01\xd0"),
        (HEVC, b"\0\0\1\x2a\x01\xac", b"\0\0\1\x02\x01\xd0"),
        (MPEG2, b"\0\0\1\xb3\x2d\x02\x40\x33", b"\0\0\1\0\x00\x0f"),
    ],
    ids=["idr", "delimited", "recovery", "far", "hevc", "cra", "sequence"],
)
def test_keyframes_are_detected_by_their_first_bytes(kind: int, key: bytes, other: bytes) -> None:
    mux = Mux()
    mux.tables(kind)
    wanted = []
    for number in range(12):
        if number % 4 == 0:
            wanted.append(len(mux.data))
        mux.picture(number * FRAME, other if number % 4 else key)
        mux.sound(number * FRAME)
    assert inspected(TsInspector(), [mux.take()]).starts == tuple(wanted)


def test_a_keyframe_may_be_announced_by_the_packet_alone() -> None:
    mux = Mux()
    mux.section(0, pat({1: MAP}))
    mux.section(MAP, pmt(1, [(0x10, VIDEO, b"")], VIDEO))
    mux.picture(0, b"\0\0\1\xb6")
    at = len(mux.data)
    mux.picture(FRAME, b"\0\0\1\xb6", flags=0x40)
    assert inspected(TsInspector(), [mux.take()]).starts == (at,)


def test_only_the_undecided_start_of_a_frame_is_held_back() -> None:
    looking, mux = TsInspector(), a_feed(10)
    looking.push(mux.take(), 0)
    # The first packet of a slice decides; a frame without a known unit needs a second one.
    mux.picture(90_000 + 10 * FRAME)
    data = mux.take()
    assert b"".join(piece.data for piece in looking.push(data[:PACKET], 0)) == data[:PACKET]
    assert b"".join(piece.data for piece in looking.push(data[PACKET:], 0)) == data[PACKET:]
    mux.picture(90_000 + 11 * FRAME, b"\0\0\1\x09\x10")
    data = mux.take()
    assert looking.push(data[:PACKET], 0) == []
    assert looking.push(data[PACKET : 2 * PACKET], 0)[0].data == data[: 2 * PACKET]
    # Nor for long, when other streams go on.
    mux.picture(90_000 + 12 * FRAME, b"\0\0\1\x09\x10")
    first = mux.take()[:PACKET]
    assert looking.push(first, 0) == []
    for number in range(17):
        mux.sound(90_000 + (12 + number) * FRAME)
    assert b"".join(piece.data for piece in looking.push(mux.take(), 0)).startswith(first)


def test_new_tables_and_parameters_are_announced_and_repetitions_are_not() -> None:
    looking, mux = TsInspector(), Mux()
    assert (looking.revision, looking.prelude) == (0, b"")

    def revision_after(sps: bytes = SPS, *, video: int = H264, version: int = 0) -> int:
        mux.tables(video, version=version)
        tables = len(mux.data)
        mux.picture(0, sps + PPS + IDR)
        data = mux.take()
        looking.push(data, 0)
        assert len(looking.prelude) == tables
        return looking.revision

    first = revision_after()
    assert first > 0
    assert revision_after() == first
    assert revision_after(SPS + b"\x01") == first + 1
    assert revision_after(SPS + b"\x01") == first + 1
    assert revision_after(SPS + b"\x01", version=1) == first + 2
    assert revision_after(SPS + b"\x01", video=HEVC, version=2) == first + 3


def test_a_table_that_was_damaged_on_the_way_is_not_taken() -> None:
    looking, mux = TsInspector(), a_feed(10)
    looking.push(mux.take(), 0)
    before = looking.prelude, looking.revision
    damaged = bytearray(pmt(1, [(HEVC, VIDEO, b"")], VIDEO))
    damaged[-1] ^= 1
    mux.section(MAP, bytes(damaged))
    looking.push(mux.take(), 0)
    assert (looking.prelude, looking.revision) == before
    assert looking.report(0).video == "h264"


def test_long_tables_are_put_together_from_several_packets() -> None:
    mux = Mux()
    mux.section(0, pat({number: 0x1000 + number for number in range(1, 61)}))
    streams = [(H264, VIDEO, b""), *((AAC, 0x200 + one, b"\x0a\x04eng\0") for one in range(40))]
    mux.section(0x1001, pmt(1, streams, VIDEO))
    data = mux.take()
    assert len(data) > 4 * PACKET
    looking = TsInspector()
    seen = inspected(looking, [data])
    assert seen.prelude == data
    assert seen.report.video == "h264"
    assert looking.programs == tuple(range(1, 61))
    assert seen.report.audio == ("aac",) * 16


@pytest.mark.parametrize(
    ("kind", "descriptors", "codec"),
    [
        (0x06, b"\x6a\x01\x00", "ac3"),
        (0x06, b"\x0a\x04eng\0\x7a\x01\x00", "eac3"),
        (0x06, b"\x05\x04Opus\x7f\x02\x80\x02", "opus"),
        (0x06, b"\x05\x04BSSD", "s302m"),
        (0x81, b"", "ac3"),
        (0x87, b"", "eac3"),
        (0x11, b"", "aac_latm"),
        (0x03, b"", "mp2"),
    ],
)
def test_audio_codecs_are_known_by_type_or_descriptors(
    kind: int, descriptors: bytes, codec: str
) -> None:
    mux = Mux()
    mux.section(0, pat({1: MAP}))
    hidden = [(0x06, 0x300, b"\x56\x05deu\0\0"), (0x86, 0x301, b"")]
    mux.section(MAP, pmt(1, [*hidden, (kind, SOUND, descriptors)], 0x1FFF))
    mux.packet(0x1FFF, b"\xff" * 184)  # three sync bytes identify a transport stream
    report = report_of(mux)
    assert (report.video, report.audio) == ("", (codec,))


def test_layers_of_mpeg_audio_are_detected_by_the_first_bytes() -> None:
    mux = Mux()
    mux.section(0, pat({1: MAP}))
    mux.section(MAP, pmt(1, [(0x03, SOUND, b""), (0x04, 0x102, b"")], 0x1FFF))
    mux.unit(SOUND, pes(0xC0, b"\xff\xfd" + b"x" * 100, 0))
    mux.unit(0x102, pes(0xC1, b"\xff\xfb" + b"x" * 100, 0))
    assert report_of(mux).audio == ("mp2", "mp3")


def two_programs() -> bytes:
    """The first a radio."""
    mux = Mux()
    mux.section(0, pat({7: 0x1000, 8: 0x1001, 9: 0x1002}))
    mux.section(0x1000, pmt(7, [(AAC, 0x70, b"")], 0x70))
    mux.section(0x1001, pmt(8, [(H264, VIDEO, b""), (AAC, SOUND, b"")], VIDEO))
    mux.section(0x1002, pmt(9, [(MPEG2, 0x90, b""), (0x81, 0x91, b"")], 0x90))
    for number in range(20):
        ticks = number * FRAME
        mux.picture(ticks, SLICE if number % 5 else SPS + PPS + IDR, clock=ticks)
        mux.unit(0x90, pes(0xE0, b"\0\0\1\xb3\x2d\x02\x40\x33" + b"x" * 200, 2 * ticks))
        if number == 12:
            mux.counters[0x90] += 2
    return mux.take()


@pytest.mark.parametrize(
    ("program", "video", "starts", "errors"),
    [
        (None, "h264", 4, 0),
        (8, "h264", 4, 0),
        (9, "mpeg2video", 20, 2),
        (7, "", 0, 0),
        (5, "", 0, 0),
    ],
)
def test_health_is_that_of_one_programme(
    program: int | None, video: str, starts: int, errors: int
) -> None:
    data = two_programs()
    looking = TsInspector(program)
    seen = inspected(looking, [data])
    assert seen.data == data
    assert (seen.report.video, len(seen.starts)) == (video, starts)
    assert seen.report.continuity_errors == errors
    assert looking.programs == (7, 8, 9)
    assert len(seen.prelude) == 4 * PACKET


# Any bytes.

_edits = st.lists(
    st.tuples(
        st.sampled_from(["flip", "delete", "insert", "repeat", "swap"]),
        st.integers(0, 2**20),
        st.integers(1, 400),
        st.binary(min_size=1, max_size=12),
    ),
    max_size=8,
)


@st.composite
def spoiled(draw: st.DrawFn) -> bytes:
    """A transport stream that something has happened to."""
    sources = [TRAIN[: 150 * PACKET], JUNK[: 150 * PACKET], two_programs(), a_feed(30).take()]
    data = bytearray(draw(st.sampled_from(sources)))
    for what, place, size, octets in draw(_edits):
        at = place % (len(data) + 1)
        if what == "flip":
            data[at : at + len(octets)] = octets
        elif what == "delete":
            del data[at : at + size]
        elif what == "insert":
            data[at:at] = octets
        elif what == "repeat":
            at -= at % PACKET
            data[at:at] = data[at : at + PACKET]
        else:
            at -= at % PACKET
            data[at : at + 2 * PACKET] = (
                data[at + PACKET : at + 2 * PACKET] + data[at : at + PACKET]
            )
    return bytes(data)


_any_bytes = st.one_of(
    st.binary(max_size=2000),
    st.lists(st.sampled_from([b"G", b"G\x40\0\x10", b"\0" * 184, b"\xff" * 47])).map(b"".join),
    spoiled(),
)


@given(st.data(), _any_bytes)
def test_any_bytes_in_any_pieces_give_the_same(data: st.DataObject, octets: bytes) -> None:
    whole = inspected(TsInspector(), [octets])
    assert inspected(TsInspector(), data.draw(split(octets))) == whole
    assert len(whole.data) % PACKET == 0
    assert len(whole.data) + whole.report.junk_bytes <= len(octets)


# Streams that change.

STEREO, SURROUND = b"\x55\x55", b"\x55\x95"


def changes(looking: TsInspector, data: bytes) -> list[int]:
    """The offsets, in packets, of pieces that begin with other parameters."""
    found, at = [], 0
    for piece in looking.push(data, 0):
        if piece.discontinuity:
            found.append(at // PACKET)
        at += len(piece.data)
    return found


def test_other_parameters_of_the_audio_begin_a_piece() -> None:
    looking, mux = TsInspector(), a_feed(25)
    looking.push(mux.take(), 0)
    before = looking.revision
    for header in (STEREO, STEREO, SURROUND, STEREO, SURROUND, SURROUND):
        mux.sound(90_000 + 25 * FRAME, header)
    data = mux.take()
    # One PES packet is no proof. Each sound is one packet long.
    assert changes(looking, data) == [len(data) // PACKET - 1]
    assert looking.revision == before + 1


def test_other_parameters_of_the_video_begin_a_piece_with_its_keyframe() -> None:
    looking, mux = TsInspector(), a_feed(25)
    looking.push(mux.take(), 0)
    mux.picture(90_000 + 25 * FRAME, SLICE)
    mux.picture(90_000 + 26 * FRAME, SPS + b"\0\0\1\x67other" + PPS + IDR)
    mux.picture(90_000 + 27 * FRAME, SLICE)
    pieces = looking.push(mux.take(), 0)
    assert [piece.starts for piece in pieces if piece.discontinuity] == [True]


def test_other_tables_begin_a_piece() -> None:
    looking, mux = TsInspector(), a_feed(25)
    looking.push(mux.take(), 0)
    mux.section(MAP, pmt(1, [(H264, VIDEO, b"")], VIDEO, version=1))
    assert changes(looking, mux.take()) == [0]


def test_announced_audio_without_a_whole_frame_is_absent() -> None:
    looking, mux = TsInspector(), Mux()
    mux.tables()
    for number in range(10):
        mux.picture(90_000 + number * FRAME, IDR)
    looking.push(mux.take(), 0)
    assert (looking.absent, looking.report(0).absent) == ({SOUND}, (f"0x{SOUND:x}",))
    mux.sound(90_000)
    looking.push(mux.take(), 0)
    assert looking.absent == {SOUND}
    mux.sound(90_000 + FRAME)
    looking.push(mux.take(), 0)
    assert (looking.absent, looking.report(0).absent) == (frozenset(), ())


def test_jumps_of_timestamps_are_aligned_in_the_packets() -> None:
    looking, mux = TsInspector(), a_feed(50)
    for number in range(50):
        ticks = number * FRAME
        mux.picture(ticks, SLICE if number % 25 else SPS + PPS + IDR, clock=ticks)
        mux.sound(ticks)
    data = b"".join(piece.data for piece in looking.push(mux.take(), 0))
    for pid in (VIDEO, SOUND):
        times = [pts for one in packets_of(data) if pid_of(one) == pid and (pts := pts_of(one))]
        assert len(times) == 100
        assert {after - before for before, after in pairwise(times)} == {FRAME}


def test_a_video_pid_selects_its_program_and_itself() -> None:
    mux, other = Mux(), 0x300
    mux.section(0, pat({1: MAP, 2: MAP + 1}))
    mux.section(MAP, pmt(1, [(H264, VIDEO, b"")], VIDEO))
    mux.section(MAP + 1, pmt(2, [(MPEG2, other - 1, b""), (HEVC, other, b"")], other))
    data = mux.take()
    for wanted, codec in ((None, "h264"), (VIDEO, "h264"), (other, "hevc"), (0x999, "h264")):
        looking = TsInspector(video=wanted)
        looking.push(data, 0)
        assert looking.report(0).video == codec
