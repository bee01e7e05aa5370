"""Sizes of files, functions and classes."""

from tests.house import sizes
from tests.house.tree import tree_of


def test_long_files() -> None:
    tree = tree_of(
        {
            "packager/long.py": "\n" * 11,
            "packager/short.py": "\n" * 10,
            "origin/page/page.js": "\n" * 11,
            "origin/page/vendor/player.js": "\n" * 11,
            "tests/long.py": "\n" * 11,
        }
    )
    found = sizes.find_long_files(tree, 10)
    assert [offence.path for offence in found] == ["packager/long.py", "origin/page/page.js"]


def test_long_functions() -> None:
    text = "@cache\n@other\ndef right():\n    x\n    x\n\nasync def long():\n    x\n\n    x\n"
    (found,) = sizes.find_long_functions(tree_of({"origin/a.py": text}), 3)
    assert (found.line, found.text) == (7, "long: 4 lines, at most 3")


WIDE = """
class Wide:
    first: int
    shared = 1

    def __init__(self, other):
        self.second, (self.third, _) = 1, (2, 3)
        other.fourth = 4
        self.second += 1

    def open(self):
        with x as self.fourth:
            self.fifth.sixth = 6
"""


def test_attributes_of_a_class() -> None:
    tree = tree_of({"packager/a.py": WIDE})
    assert [found.text for found in sizes.find_wide_classes(tree, 3)] == [
        "Wide: 4 attributes, at most 3"
    ]
    assert sizes.find_wide_classes(tree, 4) == []


def test_names_of_classes_are_unique() -> None:
    tree = tree_of(
        {
            "origin/a.py": "class Run: ...\nclass _Own: ...\nclass One: ...",
            "packager/b.py": "class Run: ...\nclass _Own: ...",
            "tests/c.py": "class One: ...",
        }
    )
    (found,) = sizes.find_repeated_classes(tree)
    assert str(found) == "origin/a.py:1: class Run is also in packager/b.py"
