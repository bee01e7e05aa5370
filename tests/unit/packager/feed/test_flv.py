"""The inspector of FLV: tags made by hand, feeds made by ffmpeg, any bytes."""

import subprocess
from pathlib import Path

import imageio_ffmpeg
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from packager.feed.flv import FlvInspector
from packager.feed.inspect import inspector
from packager.feed.report import Container
from packager.timing.ticks import MICROS
from tests.paths import CORPUS
from tests.support import footage
from tests.support.inspection import inspected
from tests.support.strategies import split

HEADER = b"FLV\x01\x05\0\0\0\x09\0\0\0\0"
VIDEO, SOUND, SCRIPT = 9, 8, 18
AVC_HEADER = b"\x17\0\0\0\0\x01\x64\0\x1e"
AAC_HEADER = b"\xaf\0\x11\x90"
KEY, DELTA = b"\x17\x01\0\0\x50" + b"k" * 40, b"\x27\x01\0\0\x50" + b"d" * 20
META = b"\x02\0\x0aonMetaData\x08\0\0\0\0\0\0\x09"
_WRAP = 1 << 32


def tag(kind: int, time: int, body: bytes) -> bytes:
    time %= _WRAP
    stamp = (time & 0xFFFFFF).to_bytes(3) + (time >> 24).to_bytes()
    head = bytes((kind,)) + len(body).to_bytes(3) + stamp + b"\0\0\0"
    return head + body + (len(head) + len(body)).to_bytes(4)


def a_feed(count: int = 100, *, begin: int = 0) -> bytes:
    """25 pictures a second, a keyframe each second, sound with each."""
    parts = [HEADER, tag(SCRIPT, 0, META), tag(VIDEO, 0, AVC_HEADER), tag(SOUND, 0, AAC_HEADER)]
    for number in range(count):
        time = begin + 40 * number
        parts.append(tag(SOUND, time, b"\xaf\x01sound"))
        parts.append(tag(VIDEO, time, DELTA if number % 25 else KEY))
    return b"".join(parts)


@pytest.mark.parametrize("begin", [0, _WRAP - 2000, (1 << 24) - 2000])
def test_a_feed_is_described_and_passes_unchanged(begin: int) -> None:
    data = a_feed(begin=begin)
    seen = inspected(FlvInspector(), [data])
    assert seen.data == data
    report = seen.report
    assert (report.video, report.audio) == ("h264", ("aac",))
    assert (report.frame_rate, report.keyframe_interval, report.skew_ms) == (25.0, 1.0, 0)
    assert (report.jumps, report.dropped_frames, report.late_frames) == (0, 0, 0)
    assert len(seen.starts) == 4
    for start in seen.starts:
        assert seen.data[start] == VIDEO
        assert seen.data[start + 11 :].startswith(KEY)


def test_the_prelude_is_header_metadata_and_sequence_headers() -> None:
    looking = FlvInspector()
    assert (looking.prelude, looking.revision) == (b"", 0)
    looking.push(a_feed(30), 0)
    wanted = tag(SCRIPT, 0, META) + tag(VIDEO, 0, AVC_HEADER) + tag(SOUND, 0, AAC_HEADER)
    assert looking.prelude == HEADER + wanted
    assert looking.revision == 2


def test_a_sequence_header_is_news_only_where_it_differs() -> None:
    looking = FlvInspector()
    looking.push(a_feed(30), 0)
    looking.push(tag(VIDEO, 1200, AVC_HEADER) + tag(SOUND, 1200, AAC_HEADER), 0)
    assert looking.revision == 2
    other = tag(VIDEO, 1200, AVC_HEADER + b"other")
    looking.push(other, 0)
    assert looking.revision == 3
    assert other in looking.prelude


def test_another_sequence_header_begins_a_piece() -> None:
    looking = FlvInspector()
    looking.push(a_feed(30), 0)
    other = tag(VIDEO, 1200, AVC_HEADER + b"other")
    pieces = looking.push(tag(VIDEO, 1200, DELTA) + other + tag(VIDEO, 1240, KEY), 0)
    assert [(piece.starts, piece.discontinuity) for piece in pieces] == [
        (False, False),
        (False, True),
        (True, False),
    ]
    assert pieces[1].data == other


def test_missing_frames_jumps_and_late_frames_are_counted() -> None:
    looking = FlvInspector()
    looking.push(a_feed(50), 0)
    looking.push(tag(VIDEO, 52 * 40, DELTA), 100_000)
    assert looking.report(0).dropped_frames == 2
    looking.push(tag(VIDEO, 53 * 40, DELTA), 100_000 + MICROS)
    assert looking.report(0).late_frames == 1
    looking.push(tag(VIDEO, 500_000, DELTA), MICROS)
    assert looking.report(0).jumps == 1


def test_a_restart_continues_the_time_and_keeps_composition_offsets() -> None:
    looking = FlvInspector()
    first = a_feed(50, begin=3_600_000)
    again = b"".join([tag(VIDEO, 0, AVC_HEADER), a_feed(50)[len(HEADER) :]])
    seen = inspected(looking, [first, again])
    wanted = a_feed(100, begin=3_600_000)[len(HEADER) :]
    media = [one for one in tags_of(seen.data) if one[11:13] in (KEY[:2], DELTA[:2], b"\xaf\x01")]
    assert media == [
        one for one in tags_of(HEADER + wanted) if one[11:13] in (KEY[:2], DELTA[:2], b"\xaf\x01")
    ]
    assert seen.report.jumps == 1


def test_an_empty_header_does_not_replace_a_good_one() -> None:
    looking = FlvInspector()
    data = a_feed(30)
    seen = inspected(looking, [data, tag(SOUND, 1_200, b"\xaf\0"), tag(SOUND, 1_200, b"\xaf\1s")])
    assert seen.data == data + tag(SOUND, 1_200, b"\xaf\1s")
    assert (looking.revision, AAC_HEADER in looking.prelude) == (2, True)


def tags_of(flv: bytes) -> list[bytes]:
    """The whole tags of an FLV."""
    found, at = [], len(HEADER)
    while at < len(flv):
        end = at + 15 + int.from_bytes(flv[at + 1 : at + 4])
        found.append(flv[at:end])
        at = end
    return found


def _modified(size: int) -> bytes:
    """A nanosecond offset before the packet type, with room for `size` octets."""
    return bytes((size - 1,)) + b"\0" * size


FOUR_CC = [
    (b"hvc1", "hevc"),
    (b"av01", "av1"),
    (b"avc1", "h264"),
    (b"vp09", "vp9"),
]


@pytest.mark.parametrize(("name", "codec"), FOUR_CC)
def test_enhanced_video_codecs_are_known(name: bytes, codec: str) -> None:
    start = tag(VIDEO, 0, b"\x90" + name + b"header")
    key = tag(VIDEO, 0, b"\x91" + name + b"\0\0\x50key")
    delta = tag(VIDEO, 40, b"\xa3" + name + b"delta")
    other = tag(VIDEO, 80, b"\x97" + _modified(3) + b"\x01" + name + b"\0\0\0key")
    many = tag(VIDEO, 120, b"\x96\x01" + name + b"\0" + b"\0\0\0key")
    second = tag(VIDEO, 120, b"\x96\x01" + name + b"\x01" + b"\0\0\0key")
    command = tag(VIDEO, 160, b"\xd1\x00")
    looking = FlvInspector()
    data = HEADER + start + key + delta + other + many + second + command
    seen = inspected(looking, [data])
    assert seen.data == data
    assert seen.report.video == codec
    begin = len(HEADER + start)
    after = begin + len(key + delta)
    assert seen.starts == (begin, after, after + len(other))
    assert looking.prelude == HEADER + start


def test_enhanced_audio_codecs_are_known_track_by_track() -> None:
    first = tag(SOUND, 0, b"\x95\x00ac-3\0header")
    second = tag(SOUND, 0, b"\x95\x00ec-3\x01header")
    plain = tag(SOUND, 0, b"\x91ac-3frame")
    looking = FlvInspector()
    seen = inspected(looking, [HEADER + first + second + plain], MICROS)
    assert seen.report.audio == ("ac3", "eac3")
    assert seen.report.mute_ms == 0
    assert looking.prelude == HEADER + first + second


def test_other_bytes_pass_without_inspection() -> None:
    for data in (b"GET / HTTP/1.1\r\n\r\n", HEADER + b"\xff" * 30, b"FLV\x01\x05\xff\xff\xff\xff"):
        looking = FlvInspector()
        seen = inspected(looking, [data, b"and so on"])
        assert seen.data == data + b"and so on"
        assert seen.starts == ()


def test_the_kept_bytes_are_bounded() -> None:
    looking = FlvInspector()
    many = b"".join(tag(VIDEO, 0, b"\x96\x00hvc1" + bytes((n,)) + b"h") for n in range(256))
    long = tag(VIDEO, 0, b"\x90hvc1" + b"x" * (1 << 17)) + tag(SCRIPT, 0, META + b"x" * (1 << 17))
    looking.push(HEADER + many + long, 0)
    assert len(looking.prelude) < 2000


def _flv(out: Path, *arguments: str) -> bytes:
    program = imageio_ffmpeg.get_ffmpeg_exe()
    subprocess.run([program, "-v", "error", *arguments, "-c", "copy", str(out)], check=True)
    return out.read_bytes()


def test_the_report_on_ffmpegs_output_matches_its_input(tmp_path: Path) -> None:
    data = _flv(tmp_path / "train.flv", "-i", str(footage.train()))
    looking = FlvInspector()
    seen = inspected(looking, [data])
    assert seen.data == data
    assert len(seen.starts) == 5
    report = seen.report
    assert (report.video, report.audio) == ("h264", ("aac",))
    assert report.frame_rate == pytest.approx(30, rel=0.0005)
    assert report.keyframe_interval == 2.0
    assert (report.dropped_frames, report.jumps) == (0, 0)
    # A decoder that begins in the middle needs no more than the prelude.
    (tmp_path / "rest.flv").write_bytes(looking.prelude + data[seen.starts[2] :])
    program = imageio_ffmpeg.get_ffmpeg_exe()
    decoded = subprocess.run(
        [program, "-v", "error", "-xerror", "-i", tmp_path / "rest.flv", "-f", "null", "-"],
        capture_output=True,
        check=False,
    )
    assert (decoded.returncode, decoded.stderr) == (0, b"")


@pytest.mark.parametrize(
    ("file", "video", "audio"),
    [("hevc.mp4", "hevc", ()), ("eac3.mp4", "", ("eac3",)), ("ac3.mp4", "", ("ac3",))],
)
def test_ffmpegs_enhanced_codecs_are_known(
    tmp_path: Path, file: str, video: str, audio: tuple[str, ...]
) -> None:
    data = _flv(tmp_path / "out.flv", "-i", str(CORPUS / "cmaf" / file))
    seen = inspected(FlvInspector(), [data])
    assert (seen.report.video, seen.report.audio) == (video, audio)
    assert bool(seen.starts) == bool(video)


def test_each_container_has_its_inspector() -> None:
    ts = footage.train().read_bytes()[:188_000]
    for container, data in ((Container.TS, ts), (Container.FLV, a_feed())):
        assert inspected(inspector(container), [data]).report.video == "h264"


_bodies = st.binary(max_size=20) | st.builds(
    bytes.__add__,
    st.sampled_from([b"\x90hvc1", b"\x91hvc1", b"\x97\x02", b"\x96\x11av01", b"\xaf", b"\x17\x01"]),
    st.binary(max_size=8),
)
_tags = st.builds(
    tag, st.sampled_from([VIDEO, SOUND, SCRIPT, VIDEO | 0x20]), st.integers(0, _WRAP - 1), _bodies
)


@st.composite
def spoiled(draw: st.DrawFn) -> bytes:
    """An FLV that something has happened to."""
    whole = draw(st.just(a_feed(8)) | st.lists(_tags).map(lambda tags: HEADER + b"".join(tags)))
    data = bytearray(whole)
    for place, octets in draw(st.lists(st.tuples(st.integers(0, 2**12), st.binary()), max_size=3)):
        at = place % (len(data) + 1)
        data[at : at + len(octets)] = octets
    return bytes(data)


@st.composite
def _in_pieces(draw: st.DrawFn) -> list[bytes]:
    return draw(split(draw(st.binary(max_size=300) | spoiled())))


@given(_in_pieces())
@example([b"F", b"\0"])
@example([b"FL", b"V\0", b"\0" * 20])
def test_any_bytes_in_any_pieces_give_the_same(parts: list[bytes]) -> None:
    octets = b"".join(parts)
    whole = inspected(FlvInspector(), [octets])
    assert inspected(FlvInspector(), parts) == whole
    # Timestamps may be aligned, and empty headers left out.
    assert len(whole.data) <= len(octets)
