"""The files that the checks read, each parsed once, and the form of an offence."""

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from os import walk
from pathlib import Path

PRODUCT = ("packager/", "origin/", "profiles/")
_READ = {".py", ".md", ".js", ".css", ".html", ".yaml", ".toml"}
_READ_BY_NAME = {"Makefile", "Dockerfile"}
_GENERATED = {"node_modules", "__pycache__"}
_GENERATED_TOPS = {"data", "dist", "build", "bench/out", "tests/out"}
_DATA = ("tests/corpus/", "tests/golden/")


@dataclass(frozen=True, order=True)
class Offence:
    """One place that a check objects to; line 0 is the whole file or folder."""

    path: str
    line: int
    text: str

    def __str__(self) -> str:
        place = f"{self.path}:{self.line}" if self.line else self.path
        return f"{place}: {self.text}"


@dataclass(frozen=True, eq=False)
class Source:
    """The text of one file, with its path relative to the root of the repository."""

    path: str
    text: str

    @cached_property
    def lines(self) -> list[str]:
        """The lines of the text, without their ends."""
        return self.text.splitlines()

    @cached_property
    def module(self) -> ast.Module:
        """The syntax tree of a Python file."""
        return ast.parse(self.text, self.path)

    @cached_property
    def nodes(self) -> list[ast.AST]:
        """All nodes of the syntax tree of a Python file."""
        return list(ast.walk(self.module))


@dataclass(frozen=True, eq=False)
class Tree:
    """The repository: the text files that are checked, and the paths of all files and folders."""

    sources: Mapping[str, Source]
    paths: frozenset[str]

    def under(self, *prefixes: str, suffix: str = ".py") -> Iterator[Source]:
        """Files with this suffix below the folders, sorted by path."""
        for path in sorted(self.sources):
            if path.startswith(prefixes) and path.endswith(suffix):
                yield self.sources[path]


def tree_of(files: Mapping[str, str]) -> Tree:
    """A tree of the given texts by path."""
    sources = {path: Source(path, text) for path, text in files.items()}
    return Tree(sources, _with_folders(files))


def read_tree(root: Path) -> Tree:
    """The tree below `root`, without hidden and generated folders."""
    sources: dict[str, Source] = {}
    paths: list[str] = []
    for folder, folders, files in walk(root):
        here = Path(folder).relative_to(root)
        folders[:] = [name for name in folders if not _skipped(here / name)]
        for name in files:
            path = (here / name).as_posix()
            paths.append(path)
            readable = name in _READ_BY_NAME or Path(name).suffix in _READ
            if readable and not path.startswith(_DATA):
                sources[path] = Source(path, (root / path).read_text("utf-8"))
    return Tree(sources, _with_folders(paths))


def _with_folders(paths: Iterable[str]) -> frozenset[str]:
    """The paths of the files, and those of all folders that have a file."""
    return frozenset(str(whole) for path in paths for whole in (Path(path), *Path(path).parents))


def _skipped(folder: Path) -> bool:
    return (
        folder.name.startswith(".")
        or folder.name in _GENERATED
        or folder.name.endswith(".egg-info")
        or folder.as_posix() in _GENERATED_TOPS
    )
