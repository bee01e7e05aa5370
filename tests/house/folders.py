"""Where modules and tests lie, and whether the glossary has the names of the folders."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import PurePosixPath

from tests.house.tree import PRODUCT, Offence, Tree

LARGEST_FOLDER = 12
LARGEST = {"packager/runtime/ingest": 16}
"""Folders with a limit of their own."""
GLOSSARY = "docs/glossary.md"
_LEVELS = ("tests/unit/", "tests/contract/")
_MIRRORED = {"packager", "origin", "profiles", "bench", "deploy"}
_HOUSE = "tests/unit/house"


def _modules(tree: Tree) -> Iterator[PurePosixPath]:
    """The modules of the product, without `__init__` and `__main__`."""
    for source in tree.under(*PRODUCT):
        path = PurePosixPath(source.path)
        if not path.name.startswith("__"):
            yield path


def find_loose_modules(tree: Tree, package: str) -> list[Offence]:
    """Modules that lie directly in a top-level package."""
    return [
        Offence(path.as_posix(), 0, "a module outside of any folder")
        for path in _modules(tree)
        if path.parent.as_posix() == package
    ]


def find_large_folders(tree: Tree) -> list[Offence]:
    """Folders with more modules than their limit."""
    sizes = Counter(path.parent.as_posix() for path in _modules(tree))
    return [
        Offence(folder, 0, f"{size} modules, at most {limit}")
        for folder, size in sorted(sizes.items())
        if size > (limit := LARGEST.get(folder, LARGEST_FOLDER))
    ]


def find_misplaced_tests(tree: Tree) -> list[Offence]:
    """Unit and contract tests whose folder does not mirror a folder of the repository.

    tests/unit/packager/timing/ has the tests of packager/timing/, tests/unit/bench/ those of
    bench/, and tests/unit/house/ those of tests/house/.
    """
    return [
        Offence(source.path, 0, f"no folder {_mirrored(source.path)}/ to mirror")
        for source in tree.under(*_LEVELS)
        if source.path.rpartition("/")[2].startswith("test_") and not _is_mirror(tree, source.path)
    ]


def _mirrored(path: str) -> str:
    return "/".join(path.split("/")[2:-1]) or "."


def _is_mirror(tree: Tree, path: str) -> bool:
    if path.startswith(f"{_HOUSE}/"):
        return True
    folder = _mirrored(path)
    return folder.split("/")[0] in _MIRRORED and folder in tree.paths


def find_unexplained_folders(tree: Tree) -> list[Offence]:
    """Packages whose name is not in the glossary; case, spaces, `_` and `-` do not matter."""
    glossary = tree.sources.get(GLOSSARY)
    words = f" {_normal(glossary.text)} " if glossary else ""
    folders = {
        folder.as_posix()
        for path in _modules(tree)
        for folder in path.parents
        if folder.parent.name and not path.as_posix().startswith("profiles/")
    }
    return [
        Offence(folder, 0, f"not in {GLOSSARY}")
        for folder in sorted(folders)
        if f" {_normal(folder.rpartition('/')[2])} " not in words
    ]


def _normal(text: str) -> str:
    return re.sub(r"[\W_]+", " ", text.lower()).strip()
