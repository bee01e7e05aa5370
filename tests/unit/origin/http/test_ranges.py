import pytest
from hypothesis import given
from hypothesis import strategies as st

from origin.http.ranges import Unsatisfiable, parse_range

SIZE = 1000
places = st.integers(0, 2 * SIZE)


def chosen(header: str, size: int = SIZE) -> range:
    """The bytes that `header` gets of a body of `size` bytes."""
    found = parse_range(header, size)
    offset, length = found if found is not None else (0, size)
    return range(offset, offset + length)


@given(places, places, places)
def test_from_one_byte_to_another(first: int, last: int, size: int) -> None:
    header = f"bytes={first}-{last}"
    wanted = [byte for byte in range(size) if first <= byte <= last]
    if last < first:
        assert parse_range(header, size) is None
    elif not wanted:
        with pytest.raises(Unsatisfiable):
            parse_range(header, size)
    else:
        assert list(chosen(header, size)) == wanted


@given(places, places)
def test_from_a_byte_on(first: int, size: int) -> None:
    if first >= size:
        with pytest.raises(Unsatisfiable):
            parse_range(f"bytes={first}-", size)
    else:
        assert chosen(f"bytes={first}-", size) == range(first, size)


@given(places, places)
def test_the_last_bytes(count: int, size: int) -> None:
    if not min(count, size):
        with pytest.raises(Unsatisfiable):
            parse_range(f"bytes=-{count}", size)
    else:
        assert list(chosen(f"bytes=-{count}", size)) == list(range(size))[-count:]


@given(st.text(st.sampled_from("bytes= -,0123456789٣\t\n"), max_size=24), places)
def test_any_text_is_a_range_or_none(header: str, size: int) -> None:
    try:
        found = parse_range(header, size)
    except Unsatisfiable:
        return
    if found is not None:
        offset, length = found
        assert 0 <= offset < offset + length <= size


def test_no_header_is_no_range() -> None:
    assert parse_range(None, SIZE) is None
    assert parse_range("", SIZE) is None


@pytest.mark.parametrize("header", ["Bytes=0-9", "BYTES=0-9", "bytes= 0-9", "bytes=0-9 "])
def test_a_unit_s_case_and_white_space_do_not_matter(header: str) -> None:
    assert chosen(header) == range(10)


@pytest.mark.parametrize(
    "header",
    [
        *["bytes", "bytes=", "bytes=-", "bytes=x-9", "bytes=0-x", "bytes=0", "0-9", "=0-9"],
        *["items=0-9", "bytes=9-0", "bytes=--9", "bytes=0--9", "bytes=0-9-", "bytes:0-9"],
        *["bytes=0x0-0x9", "bytes=1.5-9", "bytes=+1-9", "bytes=0 - 9", "bytes=1_0-99"],
    ],
)
def test_ranges_in_other_units_are_ignored(header: str) -> None:
    assert parse_range(header, SIZE) is None


@pytest.mark.parametrize("header", ["bytes=0-9,20-29", "bytes=0-9, 20-", "bytes=0-9,-1", "bytes=,"])
def test_several_ranges_get_the_whole(header: str) -> None:
    assert parse_range(header, SIZE) is None


# RFC 9110 section 14.1.1: DIGIT is 0 to 9.
@pytest.mark.parametrize("header", ["bytes=٠-٣", "bytes=-٣", "bytes=1-９"])  # noqa: RUF001
def test_digits_are_those_of_ascii(header: str) -> None:
    assert parse_range(header, SIZE) is None


@pytest.mark.parametrize("digits", [18, 19, 400])
@pytest.mark.parametrize("form", ["bytes=0-{}", "bytes=-{}"])
def test_a_range_beyond_all_bounds_gets_the_whole(digits: int, form: str) -> None:
    assert chosen(form.format("9" * digits)) == range(SIZE)
