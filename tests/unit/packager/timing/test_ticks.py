from datetime import UTC, datetime, timedelta, timezone
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packager.timing.grid import Grid
from packager.timing.ticks import (
    MICROS,
    UtcMicros,
    iso8601,
    micros_of,
    parse_iso8601,
    rescale,
    round_half_up,
    seconds,
)
from tests.support.strategies import durations

NUMBERS = st.integers(-(10**9), 10**12)
SCALES = st.sampled_from([90_000, 48_000, 44_100, 60_000, 24_000, 12_800, 10_000_000, 1])
TIMES = st.integers(-(2**62), 2**62)
EXACT = [
    (Fraction(48, 25), 90_000),
    (Fraction(48, 25), 48_000),
    (Fraction(48, 25), 44_100),
    (Fraction(48, 25), 60_000),
    (Fraction(32, 15), 90_000),
    (Fraction(32, 15), 48_000),
    (Fraction(32, 15), 44_100),
    (Fraction(32, 15), 60_000),
    (Fraction(8, 3), 90_000),
    (Fraction(8, 3), 48_000),
    (Fraction(8, 3), 44_100),
    (Fraction(8, 3), 60_000),
    (Fraction(1001, 500), 90_000),
    (Fraction(1001, 500), 48_000),
    (Fraction(1001, 500), 60_000),
]


@given(st.fractions())
def test_round_half_up(value: Fraction) -> None:
    assert -Fraction(1, 2) < round_half_up(value) - value <= Fraction(1, 2)


@given(TIMES, SCALES, SCALES)
def test_rescale_is_the_nearest(value: int, one: int, other: int) -> None:
    assert rescale(value, one, other) == round_half_up(Fraction(value * other, one))


@given(TIMES, SCALES, SCALES)
def test_rescale_up_and_back(value: int, one: int, other: int) -> None:
    if other >= one:
        assert rescale(rescale(value, one, other), other, one) == value


@given(TIMES, SCALES)
def test_micros(ticks: int, scale: int) -> None:
    assert abs(Fraction(micros_of(ticks, scale), MICROS) - Fraction(ticks, scale)) <= Fraction(
        1, 2 * MICROS
    )


@pytest.mark.parametrize(("duration", "scale"), EXACT)
def test_boundaries_are_whole_ticks(duration: Fraction, scale: int) -> None:
    assert (duration * scale).denominator == 1
    assert Grid(duration).boundary(920_430_000, scale) == 920_430_000 * duration * scale


@given(st.sampled_from(EXACT), NUMBERS)
def test_a_cell_is_half_open(case: tuple[Fraction, int], number: int) -> None:
    duration, scale = case
    grid = Grid(duration)
    boundary = grid.boundary(number, scale)
    assert grid.number_at(boundary, scale) == number
    assert grid.number_at(boundary - 1, scale) == number - 1
    assert grid.number_at(grid.boundary(number + 1, scale) - 1, scale) == number


@given(durations, NUMBERS, SCALES)
def test_a_boundary_is_the_nearest_tick(duration: Fraction, number: int, scale: int) -> None:
    boundary = Grid(duration).boundary(number, scale)
    assert abs(boundary - number * duration * scale) <= Fraction(1, 2)


@given(durations, st.integers(0, 2**53))
def test_the_number_of_an_instant(duration: Fraction, instant: int) -> None:
    grid = Grid(duration)
    number = grid.number_at_micros(instant)
    assert number == instant // (duration * MICROS)
    assert abs(grid.micros(number) - number * duration * MICROS) <= Fraction(1, 2)


@given(st.integers(-62_135_596_800 * MICROS, 253_402_300_799 * MICROS).map(UtcMicros))
def test_iso8601_is_the_nearest_millisecond(instant: int) -> None:
    text = iso8601(UtcMicros(instant))
    assert len(text) == 24
    assert -500 < parse_iso8601(text) - instant <= 500


@pytest.mark.parametrize(
    ("instant", "text"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (1_767_225_600_000_499, "2026-01-01T00:00:00.000Z"),
        (1_767_225_600_000_500, "2026-01-01T00:00:00.001Z"),
        (1_767_225_599_999_500, "2026-01-01T00:00:00.000Z"),
        (-1000, "1969-12-31T23:59:59.999Z"),
    ],
)
def test_iso8601(instant: int, text: str) -> None:
    assert iso8601(UtcMicros(instant)) == text


@given(st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=45))])))
def test_any_instant_is_parsed(when: datetime) -> None:
    since = when - datetime(1970, 1, 1, tzinfo=UTC)
    assert parse_iso8601(when.isoformat()) == since // timedelta(microseconds=1)


@pytest.mark.parametrize("text", ["", "now", "2026-01-01T00:00:00", "2026-13-01T00:00:00Z", "1.5"])
def test_no_instant(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_iso8601(text)


@given(st.text())
def test_any_text_is_an_instant_or_a_value_error(text: str) -> None:
    try:
        parse_iso8601(text)
    except ValueError:
        return


@given(st.fractions(), st.integers(1, 9))
def test_seconds(value: Fraction, digits: int) -> None:
    text = seconds(value, digits)
    assert len(text.partition(".")[2]) == digits
    assert -Fraction(1, 2) < (Fraction(text) - value) * 10**digits <= Fraction(1, 2)
