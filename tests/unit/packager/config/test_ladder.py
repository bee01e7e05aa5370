from fractions import Fraction
from importlib.resources import files
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from packager.config.checks.ladder import segment_fault
from packager.config.ladder import AudioRendition, EncodeLadder, PassthroughLadder, VideoRendition
from packager.config.parse import parse_ladder
from packager.config.yaml_reader import MAX_TEXT
from packager.errors import ConfigError
from tests.support.problems import problems_of

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


def faults(text: str) -> str:
    return "\n".join(map(str, problems_of(lambda: parse_ladder(text, "x.yaml", "x"))))


def test_encode() -> None:
    ladder = parse_ladder(GOOD, "x.yaml", "mine")
    assert isinstance(ladder, EncodeLadder)
    assert (ladder.name, ladder.frame_rate, ladder.segment) == ("mine", 25, Fraction(48, 25))
    assert ladder.audio == AudioRendition(
        id="audio", bitrate=96_000, channels=2, sample_rate=48_000
    )
    assert ladder.video[0] == VideoRendition(
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
    rendition = VideoRendition(id="lo", width=640, height=360, bitrate=801_000)
    assert (rendition.maxrate, rendition.bufsize) == (962_000, 1_443_000)


def test_every_field() -> None:
    text = GOOD.replace(
        "bitrate: 3.5M",
        "bitrate: 3.5M, maxrate: 5M, bufsize: 10M, preset: slow, profile: baseline,"
        " bframes: 0, threads: 64",
    ).replace("bitrate: 96k", "id: sound\n  bitrate: 64000\n  channels: 1\n  sample_rate: 44100")
    ladder = parse_ladder(text, "x.yaml", "x")
    assert isinstance(ladder, EncodeLadder)
    assert ladder.audio == AudioRendition(
        id="sound", bitrate=64_000, channels=1, sample_rate=44_100
    )
    assert ladder.video[0] == VideoRendition(
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


def test_a_rendition_has_the_encoder_of_its_ladder_or_its_own() -> None:
    assert encoders_of(GOOD) == ["x264", "x264"]
    assert encoders_of(f"{GOOD}encoder: qsv\n") == ["qsv", "qsv"]
    mixed = GOOD.replace("id: lo,", "id: lo, encoder: x264,")
    assert encoders_of(f"{mixed}encoder: nvenc\n") == ["nvenc", "x264"]


def encoders_of(text: str) -> list[str]:
    ladder = parse_ladder(text, "x.yaml", "x")
    assert isinstance(ladder, EncodeLadder)
    return [ladder.encoder_of(rendition) for rendition in ladder.video]


def test_passthrough() -> None:
    ladder = parse_ladder("mode: passthrough\nsegment: 6s", "x.yaml", "x")
    assert ladder == PassthroughLadder(name="x", file="x.yaml", segment=Fraction(6))


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "mode: encode\n",
            "",
            "x.yaml:1:1: mode: missing: add `mode:` with encode, mixed or passthrough",
        ),
        (
            "mode: encode",
            "mode: enc",
            (
                "x.yaml:1:7: mode: expected encode, mixed or passthrough, got 'enc': "
                "use one of these"
            ),
        ),
        (
            "mode: encode",
            "mode: [encode]",
            (
                "x.yaml:1:7: mode: expected encode, mixed or passthrough, got a list of 1: "
                "use one of these"
            ),
        ),
        ("segment:", "segmnt:", "x.yaml:3:1: segmnt: unknown key: did you mean segment?"),
        (
            "segment:",
            "zzz:",
            (
                "x.yaml:1:1: segment: missing: add `segment: 1.92s`\n"
                "x.yaml:3:1: zzz: unknown key: the keys are mode, frame_rate, segment, "
                "video, audio, encoder, deinterlace and latency"
            ),
        ),
        (
            "segment:",
            "name: x\nsegment:",
            (
                "x.yaml:3:1: name: unknown key: the keys are mode, frame_rate, segment, "
                "video, audio, encoder, deinterlace and latency"
            ),
        ),
        (
            "segment:",
            "file: x\nsegment:",
            (
                "x.yaml:3:1: file: unknown key: the keys are mode, frame_rate, segment, "
                "video, audio, encoder, deinterlace and latency"
            ),
        ),
        (
            "segment:",
            "encoder: amf\nsegment:",
            (
                "x.yaml:3:10: encoder: expected x264, nvenc, qsv or vaapi, got 'amf': use "
                "one of these"
            ),
        ),
        (
            "id: lo,",
            "id: lo, encoder: cpu,",
            (
                "x.yaml:6:23: video[1].encoder: expected x264, nvenc, qsv or vaapi, got "
                "'cpu': use one of these"
            ),
        ),
        ("segment: 1.92s\n", "", "x.yaml:1:1: segment: missing: add `segment: 1.92s`"),
        (
            "1.92s",
            "2",
            (
                "x.yaml:3:10: segment: expected a duration, got '2': write 1.92s, 32/15s, "
                "500ms, 2m or 12h"
            ),
        ),
        (
            "1.92s",
            "",
            (
                "x.yaml:3:9: segment: expected a duration, got nothing: write 1.92s, 32/15s, "
                "500ms, 2m or 12h"
            ),
        ),
        (
            "1.92s",
            "[1s]",
            (
                "x.yaml:3:10: segment: expected a duration, got a list of 1: write 1.92s, "
                "32/15s, 500ms, 2m or 12h"
            ),
        ),
        (
            "1.92s",
            "400ms",
            "x.yaml:3:10: segment: expected 0.5s to 20s, got 0.4s: use for example 1.92s",
        ),
        (
            "1.92s",
            "20.04s",
            "x.yaml:3:10: segment: expected 0.5s to 20s, got 20.04s: use for example 1.92s",
        ),
        (
            "1.92s",
            "2.05s",
            (
                "x.yaml:3:10: segment: 2.05s is not a whole number of frames at 25 frames/s: "
                "use 2.04s, the nearest duration that is"
            ),
        ),
        (
            "frame_rate: 25",
            "frame_rate: 29.97",
            (
                "x.yaml:3:10: segment: 1.92s is not a whole number of frames at 30000/1001 "
                "frames/s: use 29029/15000s, the nearest duration that is"
            ),
        ),
        (
            "frame_rate: 25",
            "frame_rate: 25fps",
            (
                "x.yaml:2:13: frame_rate: expected a frame rate, got '25fps': write 25, "
                "12.5, 29.97 or a ratio: 30000/1001"
            ),
        ),
        (
            "frame_rate: 25",
            "frame_rate: 300",
            (
                "x.yaml:2:13: frame_rate: expected 1 to 240 frames a second, got 300: use "
                "for example 25 or 30000/1001"
            ),
        ),
        (
            "id: lo",
            "id: hi",
            (
                "x.yaml:6:10: video[1].id: 'hi' is also the id of video[0]: give every "
                "rendition an id of its own"
            ),
        ),
        (
            "id: lo",
            "id: audio",
            (
                "x.yaml:8:3: audio.id: 'audio' is also the id of video[1]: give every "
                "rendition an id of its own"
            ),
        ),
        (
            "id: lo",
            "id: Low",
            (
                "x.yaml:6:10: video[1].id: expected a name of at most 32 of a-z, 0-9, - and "
                "_, got 'Low': use for example 720p"
            ),
        ),
        ("id: lo, ", "", "x.yaml:6:5: video[1].id: missing: add `id: 720p`"),
        (
            "width: 640",
            "width: 641",
            (
                "x.yaml:6:21: video[1].width: expected an even number of pixels from 16 to "
                "7680, got '641': use for example 1280"
            ),
        ),
        (
            "height: 360",
            "height: 8",
            (
                "x.yaml:6:34: video[1].height: expected an even number of pixels from 16 to "
                "7680, got '8': use for example 720"
            ),
        ),
        (
            "height: 360",
            f"height: {'9' * 5000}",
            (
                "x.yaml:6:34: video[1].height: expected an even number of pixels from 16 to "
                "7680, got '9999999999999999999999999999999999999999...': use for example 720"
            ),
        ),
        (
            "801k",
            "801K",
            (
                "x.yaml:6:48: video[1].bitrate: expected a bit rate from 8k to 1G, got "
                "'801K': write for example 3.5M; k is 1000 bit/s, M is 1000k"
            ),
        ),
        (
            "801k",
            "801",
            (
                "x.yaml:6:48: video[1].bitrate: expected a bit rate from 8k to 1G, got "
                "'801': write for example 3.5M; k is 1000 bit/s, M is 1000k"
            ),
        ),
        (
            "801k",
            "3500k",
            (
                "x.yaml:6:48: video[1].bitrate: 3500000 is also the bitrate of video[0]: "
                "change one of them: Smooth addresses a rendition by its bitrate"
            ),
        ),
        (
            "801k",
            "801k, maxrate: 800k",
            (
                "x.yaml:6:63: video[1].maxrate: 800000 is less than the bitrate, 801000: use "
                "1.2 times the bitrate, or remove maxrate"
            ),
        ),
        (
            "801k",
            "801k, profile: baseline",
            "x.yaml:6:5: video[1].bframes: the baseline profile has no B-frames: set bframes: 0",
        ),
        (
            "801k",
            "801k, profile: high10",
            (
                "x.yaml:6:63: video[1].profile: expected baseline, main or high, got "
                "'high10': use one of these"
            ),
        ),
        (
            "801k",
            "801k, preset: placebo",
            (
                "x.yaml:6:62: video[1].preset: expected ultrafast, superfast, veryfast, "
                "faster, fast, medium or slow, got 'placebo': use one of these"
            ),
        ),
        (
            "801k",
            "801k, bframes: 5",
            (
                "x.yaml:6:63: video[1].bframes: expected a number from 0 to 4, got '5': use "
                "for example 2"
            ),
        ),
        (
            "801k",
            "801k, threads: 0",
            (
                "x.yaml:6:63: video[1].threads: expected a number from 1 to 64, got '0': use "
                "for example 8"
            ),
        ),
        (
            "801k",
            "801k, treads: 1",
            "x.yaml:6:54: video[1].treads: unknown key: did you mean threads?",
        ),
        (
            "bitrate: 96k",
            "bitrate: 1M",
            (
                "x.yaml:8:12: audio.bitrate: expected a bit rate from 8k to 576k, got '1M': "
                "write for example 128k; k is 1000 bit/s, M is 1000k"
            ),
        ),
        (
            "bitrate: 96k",
            "id: journal",
            (
                "x.yaml:8:7: audio.id: 'journal' is reserved for URLs and files: use another "
                "name, such as 720p"
            ),
        ),
        (
            "bitrate: 96k",
            "channels: 6",
            "x.yaml:8:13: audio.channels: expected 1 or 2, got '6': use one of these",
        ),
        (
            "bitrate: 96k",
            "sample_rate: 48k",
            "x.yaml:8:16: audio.sample_rate: expected 44100 or 48000, got '48k': use one of these",
        ),
        (
            "\n  bitrate: 96k",
            " loud",
            (
                "x.yaml:7:8: audio: expected a mapping, got 'loud': write keys below it, "
                "such as id, bitrate and channels"
            ),
        ),
        (
            "\n  bitrate: 96k",
            "",
            (
                "x.yaml:7:7: audio: expected a mapping, got nothing: write keys below it, "
                "such as id, bitrate and channels"
            ),
        ),
        (
            "  bitrate: 96k",
            "  - 96k",
            (
                "x.yaml:8:3: audio: expected a mapping, got a list of 1: write keys below "
                "it, such as id, bitrate and channels"
            ),
        ),
        (
            "bitrate: 96k",
            "bitrate: {}",
            (
                "x.yaml:8:12: audio.bitrate: expected a bit rate from 8k to 576k, got a "
                "mapping of 0: write for example 128k; k is 1000 bit/s, M is 1000k"
            ),
        ),
        (
            "audio:\n",
            "video:\n",
            (
                "x.yaml:1:1: audio: missing: add `audio: {bitrate: 128k}`\n"
                "x.yaml:7:1: video: given twice, first on line 4: remove one of the two"
            ),
        ),
        (
            "id: lo",
            "id: lo, id: lo",
            "x.yaml:6:14: video[1].id: given twice, first on line 6: remove one of the two",
        ),
        (
            "id: lo",
            "id: &a lo, height: *a",
            "x.yaml:6:25: aliases are not supported: write the value out",
        ),
        (
            "id: lo",
            "id: !!str lo",
            "x.yaml:6:10: tags are not supported: remove the tag that begins with !",
        ),
        (
            "mode: encode",
            "!!map\nmode: encode",
            "x.yaml:1:1: tags are not supported: remove the tag that begins with !",
        ),
        (
            "id: lo",
            "[id]: lo",
            (
                "x.yaml:6:5: video[1].id: missing: add `id: 720p`\n"
                "x.yaml:6:6: video[1]: a key is text, not a list or a mapping: quote the text"
            ),
        ),
        (
            "id: lo",
            "the id: lo",
            (
                "x.yaml:6:5: video[1].id: missing: add `id: 720p`\n"
                "x.yaml:6:6: video[1]: not a key: write at most 64 letters, digits, - and _"
            ),
        ),
        (
            "id: lo",
            r'id: "a\nb"',
            (
                "x.yaml:6:10: video[1].id: control characters are not allowed, got 'a\\nb': "
                "remove them"
            ),
        ),
        (
            "id: lo",
            r'id: "\uD800"',
            (
                "x.yaml:6:10: video[1].id: control characters are not allowed, got '\\ud800': "
                "remove them"
            ),
        ),
        (
            "id: lo",
            r'id: "\UFFFFFFFF"',
            "x.yaml:6:11: an escape or a directive is out of range: remove it",
        ),
        (
            "audio:",
            "  audio:",
            (
                "x.yaml:7:3: expected <block end>, but found '?': check the indentation, "
                "quotes and brackets here and on the line above"
            ),
        ),
        (
            "audio:",
            "\taudio:",
            (
                "x.yaml:7:1: found character '\\t' that cannot start any token: quote the "
                "value, and indent with spaces"
            ),
        ),
        (
            "audio:",
            "---\naudio:",
            (
                "x.yaml:7:1: expected one document, but found another document: remove the "
                "line `---`: a file has one document"
            ),
        ),
        (
            "audio:",
            "\x00",
            (
                "x.yaml:7:1: unacceptable character #x0000: special characters are not allowed: "
                "save the file as UTF-8 text without control characters"
            ),
        ),
        (
            "mode: encode",
            f"mode: {'[' * 99}{']' * 99}",
            "x.yaml:1:22: nested too deep: use at most 16 levels",
        ),
    ],
)
def test_fault(old: str, new: str, expected: str) -> None:
    assert GOOD.count(old) >= 1
    assert faults(GOOD.replace(old, new)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "x.yaml: empty: see docs/configuration.md"),
        ("# nothing\n", "x.yaml: empty: see docs/configuration.md"),
        ("text", "x.yaml: expected lines of `key: value`: see docs/configuration.md"),
        ("- a\n- b", "x.yaml: expected lines of `key: value`: see docs/configuration.md"),
        ("#" * (MAX_TEXT + 1), "x.yaml: longer than 256 KiB: split it, or remove comments"),
        (
            f"%YAML 1.{'1' * 5000}\n---\na: b",
            "x.yaml:1:1: an escape or a directive is out of range: remove it",
        ),
        (
            "mode: passthrough\nsegment: 2s\naudio: {}",
            "x.yaml:3:1: audio: unknown key: the keys are mode, segment and latency",
        ),
    ],
)
def test_fault_of_a_whole_text(text: str, expected: str) -> None:
    assert faults(text) == expected


@pytest.mark.parametrize(("count", "expected"), [(0, "a list of 0"), (13, "a list of 13")])
def test_number_of_renditions(count: int, expected: str) -> None:
    renditions = ", ".join(
        f"{{id: v{n}, width: 640, height: 360, bitrate: {n + 1}00k}}" for n in range(count)
    )
    text = f"mode: encode\nframe_rate: 25\nsegment: 1.92s\nvideo: [{renditions}]\naudio: {{}}"
    assert faults(text) == (
        f"x.yaml:4:8: video: expected a list of 1 to 12 renditions, got {expected}:"
        " write a list of 1 to 12"
    )


def test_aliases_cannot_grow() -> None:
    laughs = "a: &a [x, x]\n" + "".join(
        f"{name}: &{name} [*{before}, *{before}]\n"
        for before, name in zip("abcdefgh", "bcdefghi", strict=True)
    )
    assert faults(laughs).splitlines()[0] == (
        "x.yaml:2:8: aliases are not supported: write the value out"
    )


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
        assert [rendition.bitrate for rendition in ladder.video] == sorted(
            {rendition.bitrate for rendition in ladder.video}, reverse=True
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
        name="x", frame_rate=Fraction(frame_rate), segment=segment, video=(), audio=AudioRendition()
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
        assert all(str(problem).isprintable() for problem in error.problems)
