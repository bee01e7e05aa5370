"""Bodies at hand."""

from pathlib import Path

import pytest

from origin.answer import Slice
from origin.runtime.files import MOST_FILES, OpenFile, at_hand, made, read_slice

LARGE = bytes(range(256)) * 256


def test_what_is_large_lies_in_the_kernels_memory_as_long_as_it_is_known() -> None:
    before = OpenFile.count
    body = made(LARGE)
    assert isinstance(body, Slice)
    assert read_slice(body, body.size) == LARGE
    assert OpenFile.count == before + 1
    del body
    assert OpenFile.count == before


def test_what_is_small_does_not() -> None:
    assert made(LARGE[1:]) == LARGE[1:]


def test_nothing_does_when_too_many_files_are_open(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(OpenFile, "count", MOST_FILES)
    (tmp_path / "x").write_bytes(b"ab" + LARGE)
    assert made(LARGE) is LARGE
    assert at_hand(Slice(str(tmp_path / "x"), 2, len(LARGE))) == LARGE
