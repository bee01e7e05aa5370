"""Bodies in memory."""

from pathlib import Path

import pytest

from origin.http.response import FileSlice
from origin.runtime.content.files import (
    MOST_FILES,
    OpenFile,
    in_kernel_memory,
    load_body,
    read_slice,
)

LARGE = bytes(range(256)) * 256


def test_large_bodies_stay_in_the_kernels_memory_while_referenced() -> None:
    before = OpenFile.count
    body = in_kernel_memory(LARGE)
    assert isinstance(body, FileSlice)
    assert read_slice(body, body.size) == LARGE
    assert OpenFile.count == before + 1
    del body
    assert OpenFile.count == before


def test_small_bodies_stay_in_process_memory() -> None:
    assert in_kernel_memory(LARGE[1:]) == LARGE[1:]


def test_nothing_does_when_too_many_files_are_open(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(OpenFile, "count", MOST_FILES)
    (tmp_path / "x").write_bytes(b"ab" + LARGE)
    assert in_kernel_memory(LARGE) is LARGE
    assert load_body(FileSlice(str(tmp_path / "x"), 2, len(LARGE))) == LARGE
