"""Black, frozen and silent feeds, by the log of ffmpeg's filters."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from packager.config.sources import LossConfig
from packager.feed.content_check import ContentCheck
from packager.timing.ticks import MICROS

ALL = LossConfig(black=Fraction(2), frozen=Fraction(3), silent=Fraction(4))
BLACK = "[Parsed_blackframe_2 @ 0x55] frame:{n} pblack:100 pts:{n} t:{t} type:P last_keyframe:0"


def black(sight: ContentCheck, begin: int, end: int) -> None:
    """Five black pictures a second between two seconds."""
    for number in range(begin * 5, end * 5 + 1):
        text = BLACK.format(n=number, t=f"{number / 5:.6f}")
        sight.line(text, number * MICROS // 5)


def test_black() -> None:
    sight = ContentCheck(ALL)
    black(sight, 0, 1)
    assert sight.problem(MICROS) == ""
    black(sight, 1, 2)
    assert sight.problem(2 * MICROS) == "the video is black for 2 s"
    assert sight.problem(4 * MICROS) == ""
    black(sight, 10, 11)
    assert sight.problem(11 * MICROS) == ""


def test_frozen_and_silent_until_it_ends() -> None:
    sight = ContentCheck(ALL)
    sight.line("[freezedetect @ 0x1] lavfi.freezedetect.freeze_start: 3.24", 1)
    assert sight.problem(2) == "the video is frozen for more than 3 s"
    sight.line("[freezedetect @ 0x1] lavfi.freezedetect.freeze_end: 9.24", 3)
    assert sight.problem(4) == ""
    sight.line("[silencedetect @ 0x1] silence_start: 7.5", 5)
    assert sight.problem(6) == "the audio is silent for more than 4 s"
    sight.line("[silencedetect @ 0x1] silence_end: 8 | silence_duration: 0.5", 7)
    assert sight.problem(8) == ""


def test_only_configured_checks_have_filters() -> None:
    assert ContentCheck(LossConfig()).filters() == ("", "")
    assert ContentCheck(LossConfig(silent=Fraction(1, 2))).filters() == (
        "",
        "silencedetect=n=-60dB:d=0.5",
    )
    picture, _ = ContentCheck(LossConfig(black=Fraction(1))).filters()
    assert "freezedetect" not in picture


@given(st.text())
def test_any_line_is_read_or_passed_over(text: str) -> None:
    sight = ContentCheck(ALL)
    sight.line(text, 1)
    sight.line(f"frame:1 pblack:100 pts:{text} t:{text}", 2)
    assert sight.is_black(3) is False
