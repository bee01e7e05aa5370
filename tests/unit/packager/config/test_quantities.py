from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from packager.config.quantities import (
    format_duration,
    parse_bit_rate,
    parse_duration,
    parse_frame_rate,
    quoted,
)

DURATIONS = [
    ("1.92s", Fraction(48, 25)),
    ("32/15s", Fraction(32, 15)),
    ("500ms", Fraction(1, 2)),
    ("2m", 120),
    ("1.5m", 90),
    ("12h", 43_200),
    ("1d", 86_400),
    ("2.002s", Fraction(1001, 500)),
]


@pytest.mark.parametrize(("text", "seconds"), DURATIONS)
def test_duration(text: str, seconds: Fraction) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2",
        "s",
        "-1s",
        "0s",
        "0/3s",
        "1/0s",
        "1e3s",
        "1_0s",
        " 1s",
        "1 s",
        "1.s",
        ".5s",
        "nans",
        "1h30m",
        "2S",
        "1.92sec",
        "1/2/3s",
        "1.5/2s",
        "٣s",
        "1s\n",
        "1" * 10 + "s",
    ],
)
def test_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="not a duration") as caught:
        parse_duration(text)
    expected = f"not a duration: {text!r} (write 1.92s, 32/15s, 500ms, 2m or 12h)"
    assert str(caught.value) == expected


@pytest.mark.parametrize(
    ("text", "bits"),
    [
        ("800k", 800_000),
        ("3.5M", 3_500_000),
        ("128000", 128_000),
        ("0.0015k", None),
        ("1G", 10**9),
        ("1.001k", 1001),
    ],
)
def test_bit_rate(text: str, bits: int | None) -> None:
    if bits is None:
        with pytest.raises(ValueError, match="not a bit rate"):
            parse_bit_rate(text)
    else:
        assert parse_bit_rate(text) == bits
        assert type(parse_bit_rate(text)) is int


@pytest.mark.parametrize(
    "text", ["", "k", "0", "0k", "-1k", "3.5m", "800K", "800kbit", "1e6", "1/2M", "8 M", "8M\n"]
)
def test_no_bit_rate(text: str) -> None:
    with pytest.raises(ValueError, match="not a bit rate") as caught:
        parse_bit_rate(text)
    assert str(caught.value) == f"not a bit rate: {text!r} (write 800k, 3.5M or 128000)"


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("25", 25),
        ("25.0", 25),
        ("12.5", Fraction(25, 2)),
        ("30000/1001", Fraction(30000, 1001)),
        ("29.97", Fraction(30000, 1001)),
        ("29.970", Fraction(30000, 1001)),
        ("59.94", Fraction(60000, 1001)),
        ("23.976", Fraction(24000, 1001)),
        ("23.98", Fraction(24000, 1001)),
        ("47.952", Fraction(48000, 1001)),
        ("119.88", Fraction(120000, 1001)),
    ],
)
def test_frame_rate(text: str, rate: Fraction) -> None:
    assert parse_frame_rate(text) == rate


@pytest.mark.parametrize("text", ["", "0", "0.0", "25/0", "29.9", "25fps", "-25", "1e2", "25p"])
def test_no_frame_rate(text: str) -> None:
    with pytest.raises(ValueError, match="not a frame rate") as caught:
        parse_frame_rate(text)
    expected = f"not a frame rate: {text!r} (write 25, 12.5, 29.97 or a ratio: 30000/1001)"
    assert str(caught.value) == expected


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (Fraction(48, 25), "1.92s"),
        (Fraction(32, 15), "32/15s"),
        (Fraction(120), "120s"),
        (Fraction(1, 2), "0.5s"),
        (Fraction(1001, 500), "2.002s"),
    ],
)
def test_format_duration(seconds: Fraction, text: str) -> None:
    assert format_duration(seconds) == text


@settings(deadline=None)
@given(st.fractions(min_value=Fraction(1, 1000), max_value=100_000, max_denominator=100_000))
def test_a_formatted_duration_is_parsed(seconds: Fraction) -> None:
    assert parse_duration(format_duration(seconds)) == seconds


@settings(deadline=None)
@given(st.text() | st.from_regex(r"[0-9./]{1,20}[a-zA-Z]{0,2}", fullmatch=True))
def test_any_text_is_parsed_exactly_or_refused_in_one_line(text: str) -> None:
    for parse in (parse_duration, parse_bit_rate, parse_frame_rate):
        try:
            value = parse(text)
        except ValueError as error:
            assert str(error).isprintable()
        else:
            assert type(value) in (int, Fraction)
            assert value > 0


def test_long_text_is_cut() -> None:
    assert quoted("x" * 41) == repr("x" * 40 + "...")
    assert quoted("a\nb") == r"'a\nb'"
