from fractions import Fraction
from importlib.resources import files
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from packager.errors import ConfigError
from packager.profile import (
    AudioRung,
    EncodeLadder,
    PassthroughLadder,
    VideoRung,
    parse_ladder,
    segment_fault,
)
from packager.yaml_text import MAX_TEXT

GOOD = """\
mode: encode
frame_rate: 25
segment: 1.92s
video:
  - {id: hi, width: 1280, height: 720, bitrate: 3.5M}
  - {id: lo, width: 640, height: 360, bitrate: 801k}
audio:
  bitrate: 96k
"""

SHIPPED = sorted(Path(str(files("profiles"))).glob("ladders/*.yaml"))


def fault(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        parse_ladder(text, "x.yaml", "x")
    assert caught.value.__cause__ is None
    return str(caught.value)


def test_encode() -> None:
    ladder = parse_ladder(GOOD, "x.yaml", "mine")
    assert isinstance(ladder, EncodeLadder)
    assert (ladder.name, ladder.frame_rate, ladder.segment) == ("mine", 25, Fraction(48, 25))
    assert ladder.audio == AudioRung(id="audio", bitrate=96_000, channels=2, sample_rate=48_000)
    assert ladder.video[0] == VideoRung(
        id="hi",
        width=1280,
        height=720,
        bitrate=3_500_000,
        maxrate=4_200_000,
        bufsize=6_300_000,
        preset="veryfast",
        profile="high",
        bframes=2,
        threads=4,
    )


def test_numbers_are_of_plain_types() -> None:
    ladder = parse_ladder(GOOD, "x.yaml", "mine")
    assert isinstance(ladder, EncodeLadder)
    assert type(ladder.segment) is type(ladder.frame_rate) is Fraction
    assert type(ladder.video[0].bitrate) is type(ladder.audio.bitrate) is int


def test_rates_that_follow_are_rounded_up() -> None:
    rung = VideoRung(id="lo", width=640, height=360, bitrate=801_000)
    assert (rung.maxrate, rung.bufsize) == (962_000, 1_443_000)


def test_every_field() -> None:
    text = GOOD.replace(
        "bitrate: 3.5M",
        "bitrate: 3.5M, maxrate: 5M, bufsize: 10M, preset: slow, profile: baseline,"
        " bframes: 0, threads: 64",
    ).replace("bitrate: 96k", "id: sound\n  bitrate: 64000\n  channels: 1\n  sample_rate: 44100")
    ladder = parse_ladder(text, "x.yaml", "x")
    assert isinstance(ladder, EncodeLadder)
    assert ladder.audio == AudioRung(id="sound", bitrate=64_000, channels=1, sample_rate=44_100)
    assert ladder.video[0] == VideoRung(
        id="hi",
        width=1280,
        height=720,
        bitrate=3_500_000,
        maxrate=5_000_000,
        bufsize=10_000_000,
        preset="slow",
        profile="baseline",
        bframes=0,
        threads=64,
    )


def test_ntsc() -> None:
    text = GOOD.replace("frame_rate: 25", "frame_rate: 29.97").replace("1.92s", "2.002s")
    ladder = parse_ladder(text, "x.yaml", "x")
    assert isinstance(ladder, EncodeLadder)
    assert ladder.segment * ladder.frame_rate == 60


def test_a_rung_has_the_encoder_of_its_ladder_or_its_own() -> None:
    assert encoders_of(GOOD) == ["x264", "x264"]
    assert encoders_of(f"{GOOD}encoder: qsv\n") == ["qsv", "qsv"]
    mixed = GOOD.replace("id: lo,", "id: lo, encoder: x264,")
    assert encoders_of(f"{mixed}encoder: nvenc\n") == ["nvenc", "x264"]


def encoders_of(text: str) -> list[str]:
    ladder = parse_ladder(text, "x.yaml", "x")
    assert isinstance(ladder, EncodeLadder)
    return [ladder.encoder_of(rung) for rung in ladder.video]


def test_passthrough() -> None:
    ladder = parse_ladder("mode: passthrough\nsegment: 6s", "x.yaml", "x")
    assert ladder == PassthroughLadder(name="x", file="x.yaml", segment=Fraction(6))


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("mode: encode\n", "", "mode: missing"),
        ("mode: encode", "mode: enc", "mode: expected encode or passthrough, got 'enc'"),
        ("mode: encode", "mode: [encode]", "mode: expected encode or passthrough, got a list of 1"),
        ("segment:", "segmnt:", "segmnt: unknown key (did you mean segment?)"),
        ("segment:", "zzz:", "zzz: unknown key"),
        ("segment:", "name: x\nsegment:", "name: unknown key (a ladder has the name of its file)"),
        ("segment:", "file: x\nsegment:", "file: unknown key (a ladder has the name of its file)"),
        (
            "segment:",
            "encoder: amf\nsegment:",
            "encoder: expected nvenc, qsv, vaapi or x264, got 'amf'",
        ),
        (
            "id: lo,",
            "id: lo, encoder: cpu,",
            "video[1].encoder: expected nvenc, qsv, vaapi or x264, got 'cpu'",
        ),
        ("segment: 1.92s\n", "", "segment: missing"),
        (
            "1.92s",
            "2",
            "segment: not a duration: '2' (write 1.92s, 32/15s, 500ms, 2m or 12h)",
        ),
        (
            "1.92s",
            "",
            "segment: not a duration: '' (write 1.92s, 32/15s, 500ms, 2m or 12h)",
        ),
        ("1.92s", "[1s]", "segment: expected one value, got a list of 1"),
        ("1.92s", "400ms", "segment: expected 0.5s to 20s, got 0.4s"),
        ("1.92s", "20.04s", "segment: expected 0.5s to 20s, got 20.04s"),
        (
            "1.92s",
            "2.05s",
            (
                "segment: 2.05s is not a whole number of frames at 25 frames/s"
                " (the nearest that is: 2.04s)"
            ),
        ),
        (
            "frame_rate: 25",
            "frame_rate: 29.97",
            (
                "segment: 1.92s is not a whole number of frames at 30000/1001 frames/s"
                " (the nearest that is: 29029/15000s)"
            ),
        ),
        (
            "frame_rate: 25",
            "frame_rate: 25fps",
            "frame_rate: not a frame rate: '25fps' (write 25, 12.5, 29.97 or a ratio: 30000/1001)",
        ),
        (
            "frame_rate: 25",
            "frame_rate: 300",
            "frame_rate: expected 1 to 240 frames a second, got 300",
        ),
        ("id: lo", "id: hi", "video[1].id: 'hi' is the id of video[0] too"),
        ("id: lo", "id: audio", "audio.id: 'audio' is the id of video[1] too"),
        (
            "id: lo",
            "id: Low",
            "video[1].id: expected a name of at most 32 of a-z, 0-9, - and _, got 'Low'",
        ),
        ("id: lo, ", "", "video[1].id: missing"),
        (
            "width: 640",
            "width: 641",
            "video[1].width: expected an even number of pixels from 16 to 7680, got '641'",
        ),
        (
            "height: 360",
            "height: 8",
            "video[1].height: expected an even number of pixels from 16 to 7680, got '8'",
        ),
        (
            "height: 360",
            f"height: {'9' * 5000}",
            (
                "video[1].height: expected an even number of pixels from 16 to 7680, got"
                f" '{'9' * 40}...'"
            ),
        ),
        (
            "801k",
            "801K",
            "video[1].bitrate: not a bit rate: '801K' (write 800k, 3.5M or 128000)",
        ),
        ("801k", "801", "video[1].bitrate: expected a bit rate from 8k to 1G, got 801"),
        (
            "801k",
            "3500k",
            "video[1].bitrate: 3500000 is the bitrate of video[0] too: Smooth needs them apart",
        ),
        (
            "801k",
            "801k, maxrate: 800k",
            "video[1].maxrate: 800000 is less than the bitrate, 801000",
        ),
        (
            "801k",
            "801k, profile: baseline",
            "video[1].bframes: the baseline profile has no B-frames: set it to 0",
        ),
        (
            "801k",
            "801k, profile: high10",
            "video[1].profile: expected baseline, high or main, got 'high10'",
        ),
        (
            "801k",
            "801k, preset: placebo",
            (
                "video[1].preset: expected fast, faster, medium, slow, superfast, ultrafast"
                " or veryfast, got 'placebo'"
            ),
        ),
        ("801k", "801k, bframes: 5", "video[1].bframes: expected a number from 0 to 4, got '5'"),
        ("801k", "801k, threads: 0", "video[1].threads: expected a number from 1 to 64, got '0'"),
        ("801k", "801k, treads: 1", "video[1].treads: unknown key (did you mean threads?)"),
        (
            "bitrate: 96k",
            "bitrate: 1M",
            "audio.bitrate: expected a bit rate from 8k to 576k, got 1000000",
        ),
        (
            "bitrate: 96k",
            "id: journal",
            "audio.id: 'journal' is a name that URLs and files use themselves",
        ),
        ("bitrate: 96k", "channels: 6", "audio.channels: expected 1 or 2, got '6'"),
        (
            "bitrate: 96k",
            "sample_rate: 48k",
            "audio.sample_rate: expected 44100 or 48000, got '48k'",
        ),
        ("\n  bitrate: 96k", " loud", "audio: expected a mapping, got 'loud'"),
        ("\n  bitrate: 96k", "", "audio: expected a mapping, got nothing"),
        ("  bitrate: 96k", "  - 96k", "audio: expected a mapping, got a list of 1"),
        (
            "bitrate: 96k",
            "bitrate: {}",
            "audio.bitrate: expected a bit rate from 8k to 576k, got a mapping of 0",
        ),
        ("audio:\n", "video:\n", "video: given twice (line 7)"),
        ("id: lo", "id: lo, id: lo", "video[1].id: given twice (line 6)"),
        ("id: lo", "id: &a lo, height: *a", "line 6: aliases are not taken"),
        ("id: lo", "id: !!str lo", "line 6: tags are not taken"),
        ("mode: encode", "!!map\nmode: encode", "line 1: tags are not taken"),
        (
            "id: lo",
            "[id]: lo",
            "video[1]: a key is text, not a list or a mapping",
        ),
        ("id: lo", "the id: lo", "video[1]: not a key: 'the id' (write letters, digits, - and _)"),
        ("id: lo", r'id: "a\nb"', r"video[1].id: control characters are not taken, got 'a\nb'"),
        ("id: lo", r'id: "\uD800"', r"video[1].id: control characters are not taken, got '\ud800'"),
        ("id: lo", r'id: "\UFFFFFFFF"', "an escape or a directive that is out of range"),
        ("audio:", "  audio:", "line 7: expected <block end>, but found '?'"),
        ("audio:", "\taudio:", "line 7: found character '\\t' that cannot start any token"),
        ("audio:", "---\naudio:", "line 7: but found another document"),
        ("audio:", "\x00", "unacceptable character #x0000: special characters are not allowed"),
        ("mode: encode", f"mode: {'[' * 99}{']' * 99}", "line 1: nested too deep"),
    ],
)
def test_fault(old: str, new: str, expected: str) -> None:
    assert GOOD.count(old) >= 1
    assert fault(GOOD.replace(old, new)) == f"x.yaml: {expected}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "x.yaml: empty"),
        ("# nothing\n", "x.yaml: empty"),
        ("text", "x.yaml: expected lines of `key: value`"),
        ("- a\n- b", "x.yaml: expected lines of `key: value`"),
        ("#" * (MAX_TEXT + 1), "x.yaml: longer than 256 KiB"),
        (
            f"%YAML 1.{'1' * 5000}\n---\na: b",
            "x.yaml: an escape or a directive that is out of range",
        ),
        ("mode: passthrough\nsegment: 2s\naudio: {}", "x.yaml: audio: unknown key"),
    ],
)
def test_fault_of_a_whole_text(text: str, expected: str) -> None:
    assert fault(text) == expected


@pytest.mark.parametrize(("count", "expected"), [(0, "a list of 0"), (13, "a list of 13")])
def test_number_of_rungs(count: int, expected: str) -> None:
    rungs = ", ".join(
        f"{{id: v{n}, width: 640, height: 360, bitrate: {n + 1}00k}}" for n in range(count)
    )
    text = f"mode: encode\nframe_rate: 25\nsegment: 1.92s\nvideo: [{rungs}]\naudio: {{}}"
    assert fault(text) == f"x.yaml: video: expected a list of 1 to 12 rungs, got {expected}"


def test_aliases_cannot_grow() -> None:
    laughs = "a: &a [x, x]\n" + "".join(
        f"{name}: &{name} [*{before}, *{before}]\n"
        for before, name in zip("abcdefgh", "bcdefghi", strict=True)
    )
    assert fault(laughs) == "x.yaml: line 2: aliases are not taken"


def test_ladders_are_shipped() -> None:
    assert [path.stem for path in SHIPPED] == [
        "demo",
        "mobile-360p",
        "passthrough",
        "sports-1080p25",
        "sports-1080p50",
    ]


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_ladder(path: Path) -> None:
    ladder = parse_ladder(path.read_text(encoding="utf-8"), path.name, path.stem)
    assert ladder.name == path.stem
    assert segment_fault(ladder.segment, ladder) is None
    if isinstance(ladder, EncodeLadder):
        assert (ladder.segment * ladder.frame_rate).denominator == 1
        # And of AAC frames, so that a SegmentTimeline stays one line.
        assert (ladder.segment * ladder.audio.sample_rate / 1024).denominator == 1
        assert [rung.bitrate for rung in ladder.video] == sorted(
            {rung.bitrate for rung in ladder.video}, reverse=True
        )


@settings(deadline=None)
@given(
    st.fractions(min_value=Fraction(1, 2), max_value=20, max_denominator=5000),
    st.sampled_from([25, 50, Fraction(30000, 1001), Fraction(60000, 1001), 24]),
)
def test_the_nearest_whole_number_of_frames_is_offered(
    segment: Fraction, frame_rate: Fraction
) -> None:
    ladder = EncodeLadder(
        name="x", frame_rate=Fraction(frame_rate), segment=segment, video=(), audio=AudioRung()
    )
    reason = segment_fault(segment, ladder)
    whole = (segment * frame_rate).denominator == 1
    assert (reason is None) == whole


@st.composite
def mangled(draw: st.DrawFn, good: str) -> str:
    text = good
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        end = draw(st.integers(start, min(len(text), start + 12)))
        text = text[:start] + draw(st.text(max_size=6) | st.sampled_from(SCRAPS)) + text[end:]
    return text


SCRAPS = [": ", "- ", "{", "}", "[", "]", "'", '"', "\n", "  ", "&a", "*a", "<<", "!!", "|", "> "]
SCRAPS += [
    "? ",
    "#",
    "%",
    "---\n",
    "...",
    "\\",
    "null",
    "name",
    "mode",
    "passthrough",
    "0",
    "\ud800",
]


@settings(deadline=None)
@given(mangled(GOOD) | st.text())
def test_any_text_is_a_ladder_or_a_config_error(text: str) -> None:
    try:
        parse_ladder(text, "x.yaml", "x")
    except ConfigError as error:
        assert str(error).isprintable()
