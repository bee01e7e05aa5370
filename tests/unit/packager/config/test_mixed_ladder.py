"""Ladders whose tracks are copied or encoded, each as it says itself."""

from fractions import Fraction

import pytest

from packager.config.checks.ladder import segment_fault
from packager.config.ladder import (
    AutoAudio,
    CopiedAudio,
    CopiedVideo,
    EncodedVideo,
    MixedLadder,
    encoded_audio,
    encoded_video,
    may_copy,
    may_copy_video,
)
from packager.config.parse import parse_ladder
from packager.config.parts import parts_of
from tests.support.problems import problems_of

GOOD = """\
mode: mixed
segment: 2s
video:
  - {mode: copy, id: source}
  - {mode: encode, id: lo, width: 640, height: 360, bitrate: 801k}
audio:
  - {mode: auto}
  - {mode: copy, id: surround}
"""


def faults(text: str) -> str:
    return "\n".join(map(str, problems_of(lambda: parse_ladder(text, "x.yaml", "x"))))


def mixed(text: str) -> MixedLadder:
    ladder = parse_ladder(text, "x.yaml", "x")
    assert isinstance(ladder, MixedLadder)
    return ladder


def test_tracks() -> None:
    ladder = mixed(GOOD)
    lower = EncodedVideo(id="lo", width=640, height=360, bitrate=801_000)
    assert ladder.video == (CopiedVideo(id="source"), lower)
    assert ladder.audio == (AutoAudio(), CopiedAudio(id="surround"))
    assert lower.maxrate == 962_000
    assert ladder.encoder_of(lower) == "x264"
    assert (encoded_video(ladder), encoded_audio(ladder)) == ((lower,), (AutoAudio(),))


@pytest.mark.parametrize(("mode", "copies"), [("encode", False), ("auto", True)])
def test_ladders_without_a_copy_need_a_frame_rate(mode: str, *, copies: bool) -> None:
    size = "width: 640, height: 360, bitrate: 900k"
    text = GOOD.replace("{mode: copy, id: source}", f"{{mode: {mode}, id: source, {size}}}")
    assert faults(text) == (
        "x.yaml:1:1: frame_rate: missing: video may be encoded without a copy beside it: "
        "add for example `frame_rate: 25`"
    )
    ladder = mixed(f"{text}frame_rate: 25\n")
    assert may_copy(ladder)
    assert may_copy_video(ladder) is copies
    fault = segment_fault(Fraction(201, 100), ladder)
    assert (fault is None) is copies


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "{mode: encode, id: lo, width: 640, height: 360, bitrate: 801k}",
            "{mode: copy, id: lo}",
            (
                "x.yaml:5:12: video[1].mode: only the first rendition can be a copy: the others "
                "are cut where it is: set mode: encode"
            ),
        ),
        (
            "id: surround",
            "id: lo",
            (
                "x.yaml:8:22: audio[1].id: 'lo' is also the id of video[1]: "
                "give every rendition an id of its own"
            ),
        ),
        (
            "mode: auto",
            "mode: any",
            (
                "x.yaml:7:12: audio[0].mode: expected copy, encode or auto, got 'any': "
                "use one of these"
            ),
        ),
    ],
)
def test_faults(old: str, new: str, expected: str) -> None:
    assert old in GOOD
    assert faults(GOOD.replace(old, new)) == expected


def test_parts_are_those_of_a_copied_feed() -> None:
    ladder = mixed(f"{GOOD}latency: low\n")
    parts = parts_of(ladder, ladder.segment)
    assert parts is not None
    assert parts.length == Fraction(1, 3)
