"""The targets of `make fuzz`, for a moment: their seeds, bytes, and words put together."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.targets import TARGETS
from tests.paths import CORPUS
from tests.support.requests import Known, requests

SEEDS = sorted((CORPUS / "fuzz").glob("*/*"))
_parts = [part for seed in SEEDS for part in seed.read_bytes().split(b" ")]
_known = Known((b"/healthz", b"/live/tv/v0/index.m3u8", b"/live/tv/time"), (b'"x"',), (b"",))
_words = st.lists(st.sampled_from(_parts) | st.binary(max_size=3), max_size=12).map(b" ".join)
_asked = st.lists(requests(_known), min_size=1, max_size=3).map(b"".join)


def test_every_target_has_seeds() -> None:
    assert {seed.parent.name for seed in SEEDS} == set(TARGETS)


@pytest.mark.parametrize("seed", SEEDS, ids=lambda seed: f"{seed.parent.name}-{seed.name}")
def test_seeds_break_no_law(seed: Path) -> None:
    TARGETS[seed.parent.name](seed.read_bytes())


@pytest.mark.parametrize("name", sorted(TARGETS))
@given(data=st.one_of(st.binary(max_size=200), _words, _asked))
def test_no_bytes_break_a_law(name: str, data: bytes) -> None:
    TARGETS[name](data)
