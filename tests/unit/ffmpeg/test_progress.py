import pytest
from hypothesis import given
from hypothesis import strategies as st

from packager.ffmpeg.progress import Message, Progress, ProgressReader, Trouble, read_message

BLOCK = """\
frame=17
fps=0.00
stream_0_0_q=-1.0
bitrate=2395.0kbits/s
total_size=179626
out_time_us=600000
out_time_ms=600000
out_time=00:00:00.600000
dup_frames=3
drop_frames=2
speed=2.93x
progress=continue
"""


def test_a_block() -> None:
    reader = ProgressReader()
    *none, last = [reader.line(line) for line in BLOCK.splitlines()]
    assert none == [None] * 11
    assert last == Progress(frames=17, speed=2.93, dropped=2, duplicated=3)


def test_blocks_do_not_mix() -> None:
    reader = ProgressReader()
    for line in BLOCK.splitlines():
        reader.line(line)
    assert reader.line("progress=end") == Progress(0, None, 0, 0)


@pytest.mark.parametrize(
    ("text", "speed"),
    [
        ("speed=1.01x", 1.01),
        ("speed= 0.98x", 0.98),
        ("speed=   3x", 3.0),
        ("speed=N/A", None),
        ("speed=1.18e+03x", None),
        ("speed=1.2.3x", None),
        ("speed=", None),
    ],
)
def test_speed(text: str, speed: float | None) -> None:
    reader = ProgressReader()
    reader.line(text)
    progress = reader.line("progress=continue")
    assert progress is not None
    assert progress.speed == speed


@given(st.lists(st.text(max_size=30), max_size=30))
def test_any_lines_are_progress_or_none(lines: list[str]) -> None:
    reader = ProgressReader()
    for line in lines:
        progress = reader.line(line)
        assert progress is None or progress.frames >= 0


def test_what_is_kept_is_bounded() -> None:
    reader = ProgressReader()
    for number in range(10_000):
        reader.line(f"key{number}=1")
    assert len(reader._values) <= 200


# One line a kind, as ffmpeg 9.0.2 wrote it for recorded feeds that were cut, mixed or damaged.
LINES = [
    (
        "[vf#0:0 @ 0x5590] [info] Reconfiguring filter graph because video parameters changed to "
        "yuv420p(tv, bt709), 1920x1080, unspecified alpha",
        Trouble.PARAMETERS,
    ),
    ("[h264 @ 0x5590] [error] non-existing PPS 0 referenced", Trouble.NO_KEYFRAME),
    ("[h264 @ 0x5590] [error] no frame!", Trouble.NO_KEYFRAME),
    ("[h264 @ 0x5590] [error] co located POCs unavailable", Trouble.NO_KEYFRAME),
    ("[in#0/mpegts @ 0x5590] [warning] PES packet size mismatch", Trouble.CORRUPT),
    (
        "[in#0/mpegts @ 0x5590] [warning] Packet corrupt (stream = 0, dts = 396000).",
        Trouble.CORRUPT,
    ),
    ("[in#0/mpegts @ 0x5590] [warning] corrupt input packet in stream 0", Trouble.CORRUPT),
    (
        "[vist#0:0/h264 @ 0x5590] [dec:h264 @ 0x5591] [warning] corrupt decoded frame",
        Trouble.CORRUPT,
    ),
    (
        "[aist#0:1/aac @ 0x5590] [dec:aac @ 0x5591] [error] Error submitting packet to decoder: "
        "Invalid data found when processing input",
        Trouble.CORRUPT,
    ),
    (
        "[mpeg2video @ 0x5590] [info] concealing 1080 DC, 1080 AC, 1080 MV errors in P frame",
        Trouble.CORRUPT,
    ),
    (
        "[vist#0:0/h264 @ 0x5590] [warning] timestamp discontinuity (stream id=256): -9957333, "
        "new offset= 9957333",
        Trouble.TIMESTAMPS,
    ),
    (
        "[null @ 0x5590] [error] Application provided invalid, non monotonically increasing dts "
        "to muxer in stream 1: 480256 >= 479872",
        Trouble.TIMESTAMPS,
    ),
    (
        "[aost#0:1/copy @ 0x5590] [warning] Non-monotonic DTS; previous: 867711, current: 867455; "
        "changing to 867712. This may result in incorrect timestamps in the output file.",
        Trouble.TIMESTAMPS,
    ),
    ("[in#0/mpegts @ 0x5590] [warning] DTS 129840 < 1023000 out of order", Trouble.TIMESTAMPS),
    (
        "[in#0 @ 0x5590] [error] Error opening input: No such file or directory",
        Trouble.NO_INPUT,
    ),
    (
        "[tcp @ 0x5590] [error] Connection to tcp://127.0.0.1:9 failed: Connection refused",
        Trouble.NO_INPUT,
    ),
    (
        "[in#0 @ 0x5590] [error] Error opening input: Invalid data found when processing input",
        Trouble.NO_MEDIA,
    ),
    ("[in#0 @ 0x5590] [error] moov atom not found", Trouble.NO_MEDIA),
    ("[h264 @ 0x5590] [error] Reference 4 >= 4", Trouble.OTHER),
    ("[mpegts @ 0x5590] [error] AAC bitstream not in ADTS format", Trouble.OTHER),
    ("[fatal] Conversion is impossible", Trouble.OTHER),
    ("[libx264 @ 0x5590] [info] profile High, level 3.0, 4:2:0, 8-bit", None),
    ("[out#0/null @ 0x5590] [info] video:1KiB audio:0KiB subtitle:0KiB", None),
    ("[in#0 @ 0x5590] [warning] Format mp3 detected only with low score of 1", None),
]


@pytest.mark.parametrize(("line", "trouble"), LINES)
def test_trouble(line: str, trouble: Trouble | None) -> None:
    message = read_message(line)
    assert message is not None
    assert message.trouble is trouble


def test_every_kind_of_trouble_has_a_line() -> None:
    assert {trouble for _, trouble in LINES} == {*Trouble, None}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            "[h264 @ 0x5590] [error] no frame!\n",
            Message("error", "no frame!", Trouble.NO_KEYFRAME),
        ),
        (
            "[vist#0:0/h264 @ 0x5590] [dec:h264 @ 0x5591] [warning] corrupt decoded frame",
            Message("warning", "corrupt decoded frame", Trouble.CORRUPT),
        ),
        ("[fatal] Error opening input files: I/O error",)
        + (Message("fatal", "Error opening input files: I/O error", Trouble.OTHER),),
        ("Press [q] to stop", Message("info", "Press [q] to stop", None)),
        ("", None),
        ("[info] \r\n", None),
    ],
)
def test_message(line: str, expected: Message | None) -> None:
    assert read_message(line) == expected


@given(st.text())
def test_any_line_is_a_message_or_none(line: str) -> None:
    message = read_message(line)
    assert message is None or 0 < len(message.text) <= 400
