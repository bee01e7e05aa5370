"""What a power loss leaves: a journal cut at any byte, segments of any length."""

import random
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.support.power_loss import Before, Name, before, lengths, survive

pytestmark = pytest.mark.fault

END = 4096
"""Bytes of a journal that may not be on the disk yet."""
BLOCK = 64
"""Of those, how many one test tries; of a sample, how many all do."""
SEED = 20260101


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    exhaustive = metafunc.config.getoption("--exhaustive")
    if "back" in metafunc.fixturenames:
        chance = random.Random(SEED)
        blocks = [range(at, at + BLOCK) for at in range(0, END, BLOCK)]
        sample = [sorted({0, 1, *chance.sample(range(END), BLOCK)})]
        ids = [f"{b[0]}-{b[-1]}" for b in blocks] if exhaustive else ["sample"]
        metafunc.parametrize("back", blocks if exhaustive else sample, ids=ids)
    if "cuts" in metafunc.fixturenames:
        metafunc.parametrize("cuts", [12 if exhaustive else 1], ids=["cuts"])


@pytest.fixture(scope="module")
def was(tmp_path_factory: pytest.TempPathFactory) -> Before:
    made = before(tmp_path_factory.mktemp("before"))
    assert len(made.journal) > END
    return made


def hurt(was: Before, chance: random.Random) -> dict[Name, int]:
    """Some of the files, each of another length."""
    names = chance.sample(sorted(was.media), chance.randint(0, 6))
    return {name: chance.choice(lengths(len(was.media[name]))) for name in names}


def test_the_journal_ends_at_any_byte(was: Before, back: list[int]) -> None:
    for place in back:
        chance = random.Random(f"{SEED} {place}")
        with TemporaryDirectory() as folder:
            survive(Path(folder), was, len(was.journal) - place, hurt(was, chance))


def test_any_file_has_any_length(was: Before, cuts: int) -> None:
    chance = random.Random(SEED)
    for name in sorted(was.media):
        for length in lengths(len(was.media[name])):
            for _ in range(cuts):
                back = chance.choice([0, chance.randrange(END)])
                with TemporaryDirectory() as folder:
                    survive(Path(folder), was, len(was.journal) - back, {name: length})


def test_all_that_was_new_is_gone(was: Before) -> None:
    for count in range(len(was.media) + 1):
        newest = sorted(was.media, key=lambda name: (name[1], name[0]))[len(was.media) - count :]
        with TemporaryDirectory() as folder:
            survive(Path(folder), was, len(was.journal), dict.fromkeys(newest, -1))
