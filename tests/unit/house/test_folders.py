"""Where modules and tests lie."""

import pytest

from tests.house import folders
from tests.house.tree import tree_of


def test_loose_modules() -> None:
    tree = tree_of(dict.fromkeys(("origin/a.py", "origin/__main__.py", "origin/http/b.py"), ""))
    (found,) = folders.find_loose_modules(tree, "origin")
    assert found.path == "origin/a.py"


def test_large_folders() -> None:
    def tree_with(modules: int, folder: str) -> list[str]:
        files = [f"{folder}/__init__.py", *(f"{folder}/m{n}.py" for n in range(modules))]
        return [
            found.path for found in folders.find_large_folders(tree_of(dict.fromkeys(files, "")))
        ]

    assert tree_with(12, "packager/feed") == []
    assert tree_with(13, "packager/feed") == ["packager/feed"]
    assert tree_with(16, "packager/runtime/ingest") == []
    assert tree_with(17, "packager/runtime/ingest") == ["packager/runtime/ingest"]


PLACES = [
    ("tests/unit/packager/timing/test_ticks.py", True),
    ("tests/unit/packager/test_layout.py", True),
    ("tests/contract/packager/timing/test_clock.py", True),
    ("tests/unit/house/test_tree.py", True),
    ("tests/unit/packager/timing/support.py", True),
    ("tests/e2e/test_play.py", True),
    ("tests/unit/test_ticks.py", False),
    ("tests/unit/timing/test_ticks.py", False),
    ("tests/unit/packager/time/test_ticks.py", False),
    ("tests/contract/test_clock.py", False),
    ("tests/unit/tests/test_paths.py", False),
]


@pytest.mark.parametrize(("path", "right"), PLACES)
def test_unit_and_contract_tests_mirror_the_tree(path: str, right: bool) -> None:  # noqa: FBT001 - a parameter
    tree = tree_of(dict.fromkeys((path, "packager/layout.py", "packager/timing/ticks.py"), ""))
    assert (folders.find_misplaced_tests(tree) == []) is right


def test_folders_are_in_the_glossary() -> None:
    modules = dict.fromkeys(
        ("origin/a.py", "packager/cmaf_ingest/a.py", "packager/runtime/b.py", "profiles/c/d.py"), ""
    )
    missing = folders.find_unexplained_folders(tree_of(modules))
    assert [found.path for found in missing] == ["packager/cmaf_ingest", "packager/runtime"]
    glossary = {"docs/glossary.md": "| CMAF ingest | … |\n| `runtimes` | … |\n"}
    (found,) = folders.find_unexplained_folders(tree_of({**modules, **glossary}))
    assert found.path == "packager/runtime"
