"""The program: counts against budgets, what it prints, how it exits."""

from pathlib import Path

import pytest

from tests.house.__main__ import main
from tests.house.report import details, measure, table, worst
from tests.house.table import CHECKS, Base, Check
from tests.house.tree import Offence, tree_of

TREE = tree_of({"a.py": "", "b.py": ""})
OFFENCES = [Offence("b.py", 2, "two"), Offence("a.py", 1, "one"), Offence("b.py", 2, "two")]


def check(budget: float, *, of: int = 0) -> Check:
    base = Base("per 1000 words", 1000, lambda _: {"a.py": of, "b.py": of}) if of else None
    return Check("prose.x", budget, lambda _: OFFENCES, base)


def test_a_count_is_compared_with_its_budget() -> None:
    assert measure(check(1), TREE).exceeded
    assert not measure(check(2), TREE).exceeded


def test_a_count_in_words_is_that_of_the_folder() -> None:
    assert measure(check(0, of=100), TREE).count == 10
    assert measure(check(0, of=100), TREE, "a").count == 10
    assert measure(check(0, of=100), TREE, "c").count == 0


def test_the_table_marks_exceeded_budgets() -> None:
    lines = list(table([measure(check(1), TREE), measure(check(20, of=100), TREE)]))
    assert lines[1:] == [
        "! prose.x         2        1",
        "  prose.x     10.00       20  per 1000 words",
    ]


def test_offences_within_a_budget_are_listed_only_when_asked_for() -> None:
    within, over = measure(check(2), TREE), measure(check(1), TREE)
    assert list(details([within], everything=False)) == []
    assert len(list(details([within], everything=True))) == 3
    assert list(details([over], everything=False))[1:] == ["  a.py:1: one", "  b.py:2: two"]


def test_the_worst_files_with_their_lines() -> None:
    result = measure(check(0, of=100), tree_of({}))
    assert list(worst([result], 1)) == ["\na.py: 1 (x 1)", "  a.py:1: x: one"]


def test_names_of_checks_are_unique() -> None:
    assert len({check.name for check in CHECKS}) == len(CHECKS)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.md").write_text("The viewer waits.\nWho waits?\n")
    return tmp_path


def test_exit_status(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--only", "prose.docs.who"], root) == 1
    assert "docs/a.md:2:" in capsys.readouterr().out
    assert main(["--only", "prose.docs.said"], root) == 0
    assert main(["--only", "who", "--path", "packager"], root) == 0
    assert main(["--only", "nothing"], root) == 2


def test_worst(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--worst", "3"], root) == 0
    assert capsys.readouterr().out.startswith("\ndocs/a.md: 1 (who 1)\n")
