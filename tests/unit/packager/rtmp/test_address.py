import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from packager.rtmp.address import below, keys


@pytest.mark.parametrize(
    ("app", "rest"),
    [
        ("live", ""),
        ("/live/", ""),
        ("live?token=x", ""),
        ("live/a", "a"),
        ("live/a/b", "a/b"),
        ("", None),
        ("lives", None),
        ("Live", None),
        ("vod/live", None),
    ],
)
def test_apps(app: str, rest: str | None) -> None:
    assert below(app) == rest


@pytest.mark.parametrize(
    ("prefix", "name", "meant"),
    [
        ("", "abc", ("abc",)),
        ("a", "b", ("a/b",)),
        ("", "abc?d=e", ("abc?d=e", "abc")),
        ("", "a%2Bb", ("a%2Bb", "a+b")),
        ("", "a%2Bb?c%2Bd", ("a%2Bb?c%2Bd", "a%2Bb", "a+b?c+d", "a+b")),
        ("", "a%00b", ("a%00b",)),
        ("", "a%", ("a%",)),
        ("", "", ()),
        ("", "?x", ("?x",)),
        ("", "with space", ()),
        ("", "a%20b", ("a%20b",)),
        ("", "schlüssel", ()),
        ("", "tab\t", ()),
        ("", "x" * 5000, ()),
    ],
)
def test_keys(prefix: str, name: str, meant: tuple[str, ...]) -> None:
    assert keys(prefix, name) == meant


@given(st.text(), st.text())
@example("", "%ff%fe\ud800")
def test_impossible_keys_are_left_out(prefix: str, name: str) -> None:
    for key in keys(prefix, name):
        assert 1 <= len(key) <= 256
        assert all("!" <= letter <= "~" for letter in key)
