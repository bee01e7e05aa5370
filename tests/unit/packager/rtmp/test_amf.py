import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packager.rtmp.amf import Value, read_values, write_values
from packager.rtmp.error import RtmpError

_scalars = st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=20)
_values: st.SearchStrategy[Value] = st.recursive(
    _scalars,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(min_size=1, max_size=8), inner)
    ),
    max_leaves=12,
)


@given(st.lists(_values, max_size=4))
def test_written_values_are_read_back(values: list[Value]) -> None:
    assert read_values(write_values(*values)) == values


@given(st.binary(max_size=200))
def test_any_bytes_are_values_or_refused(data: bytes) -> None:
    try:
        read_values(data)
    except RtmpError as error:
        assert str(error).isprintable()


@pytest.mark.parametrize(
    ("data", "value"),
    [
        ("08 00000002 0001 61 01 01 0001 62 05 0000 09", {"a": True, "b": None}),
        ("08 ffffffff 0000 09", {}),
        ("10 0001 54 0001 61 02 0001 78 0000 09", {"a": "x"}),
        ("0c 00000003 616263", "abc"),
        ("0f 00000003 3c2f3e", "</>"),
        ("0b 0000000000000000 0000", None),
        ("06", None),
        ("0d", None),
        ("07 0001", None),
        ("02 0002 c328", "\ufffd("),
        ("03 0000 01 00 0000 09", {"": False}),
    ],
)
def test_kinds_that_are_only_read(data: str, value: Value) -> None:
    assert read_values(bytes.fromhex(data)) == [value]


def test_a_long_text() -> None:
    assert read_values(write_values("x" * 70_000)) == ["x" * 70_000]


def test_no_number() -> None:
    (value,) = read_values(write_values(math.nan))
    assert isinstance(value, float)
    assert math.isnan(value)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\x00\x00", "cut off"),
        (b"\x02\xff\xffx", "cut off"),
        (b"\x03\x00\x01a\x05", "cut off"),
        (b"\x0a\xff\xff\xff\xff", "cut off"),
        (b"\x0a\xff\xff\xff\xff" + b"\x05" * 5000, "too many"),
        (b"\x05" * 5000, "too many"),
        (b"\x0a\x00\x00\x00\x01" * 5000, "too deep"),
        (b"\x03\x00\x01a" * 5000, "too deep"),
        (b"\x04", "type marker 4"),
        (b"\x11\x0a", "type marker 17"),
        (b"\x09", "type marker 9"),
    ],
)
def test_invalid_input_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(RtmpError, match=reason):
        read_values(data)
