import pytest
from hypothesis import given
from hypothesis import strategies as st

from packager.layout import (
    ChunkName,
    InitName,
    MediaName,
    SegmentName,
    is_name,
    parse_media_name,
)

names: st.SearchStrategy[MediaName] = st.one_of(
    st.builds(InitName, st.from_regex(r"\A[0-9a-f]{8}\Z")),
    st.builds(SegmentName, st.integers(0, 10**15 - 1)),
    st.builds(ChunkName, st.integers(0, 10**15 - 1), st.integers(0, 999_999)),
)


@given(names)
def test_round_trip(name: MediaName) -> None:
    assert parse_media_name(str(name)) == name


@given(st.text() | st.from_regex(r"(init-)?[0-9a-f.]{1,9}\.(m4s|mp4)"))
def test_a_name_has_one_spelling(text: str) -> None:
    name = parse_media_name(text)
    assert name is None or str(name) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1",
        "01.m4s",
        "-1.m4s",
        "1.01.m4s",
        "1.m4s\n",
        "\u0661.m4s",
        "init-0000000.mp4",
        "init-0000000A.mp4",
        "../1.m4s",
        "1.2.3.m4s",
        "1.m4S",
        "9999999999999999.m4s",
        "1.9999999.m4s",
    ],
)
def test_no_name(text: str) -> None:
    assert parse_media_name(text) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("tv", True),
        ("a" * 32, True),
        ("a" * 33, False),
        ("", False),
        ("-a", False),
        ("..", False),
        ("a/b", False),
        ("A", False),
        ("tv\n", False),
        (".metrics", False),
    ],
)
def test_channel_names(text: str, *, expected: bool) -> None:
    assert is_name(text) is expected
