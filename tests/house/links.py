"""Links and paths in documents and comments: each leads to a file or folder that exists."""

import re
from collections.abc import Iterator
from fnmatch import fnmatch
from itertools import product
from posixpath import dirname, join, normpath

from tests.house.tree import Offence, Source, Tree

_DOCUMENTS = ("docs/", "README.md", "CONTRIBUTING.md")
_LINK = re.compile(r"\]\(([^)\s]+)(?:\s+\"[^\"]*\")?\)")
_REFERENCE = re.compile(r"^\[[^\]]+\]:\s+(\S+)", re.MULTILINE)
_FENCE = re.compile(r"^ *(```|~~~).*?^ *\1 *$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`([^`\n]+)`")
_TOPS = "packager|origin|profiles|tests|docs|bench|deploy|typings"
_PATH = re.compile(rf"(?:\./)?((?:{_TOPS})/[\w./*{{}},\-]*)")
_NAMED = re.compile(rf"(?<![\w./{{}}-])(?:{_TOPS})/(?:[\w-]+/)*[\w-]+\.(?:py|md|js|yaml)\b")
_PLACE = re.compile(r"(?::\d+(?:-\d+)?|::\w+)$")
_BRACES = re.compile(r"\{([^{}]*)\}")
_MADE_UP = ("tests/unit/house/", "tests/house/")
"""Modules whose paths are examples."""
_GENERATED = ("bench/out", "tests/out")
_HEADING = re.compile(r"^#+\s+(.+?)\s*#*$", re.MULTILINE)


def find_dead_links(tree: Tree) -> list[Offence]:
    """Relative links of documents to a missing file or heading."""
    return [
        Offence(source.path, line, f"no {target}")
        for source in tree.under(*_DOCUMENTS, suffix=".md")
        for line, target in _links(source)
        if not _leads_somewhere(tree, source.path, target)
    ]


def _links(source: Source) -> Iterator[tuple[int, str]]:
    """Each relative link outside of code, with its line."""
    text = _FENCE.sub(lambda code: "\n" * code[0].count("\n"), source.text)
    for pattern in (_LINK, _REFERENCE):
        for match in pattern.finditer(text):
            if not re.match(r"[a-z+]+:|/", match[1]):
                yield text.count("\n", 0, match.start()) + 1, match[1]


def _leads_somewhere(tree: Tree, path: str, target: str) -> bool:
    file, _, heading = target.partition("#")
    whole = normpath(join(dirname(path), file)) if file else path
    if whole not in tree.paths and whole != ".":
        return False
    document = tree.sources.get(whole)
    return not heading or document is None or heading in set(_anchors(document.text))


def _anchors(text: str) -> Iterator[str]:
    """The anchor of each heading, as code hosts make it."""
    for heading in _HEADING.findall(text):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        yield re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")


def find_dead_paths(tree: Tree) -> list[Offence]:
    """Paths in backticks in documents that are no file or folder."""
    return [
        Offence(source.path, row, f"no {path}")
        for source in tree.under(*_DOCUMENTS, suffix=".md")
        for row, line in enumerate(source.lines, 1)
        for code in _CODE.findall(line)
        for path in _paths(code)
        if not _exists(tree, path)
    ]


def _paths(code: str) -> Iterator[str]:
    """The paths within a piece of code, each with its braces expanded."""
    for word in code.split():
        if match := _PATH.fullmatch(_PLACE.sub("", word)):
            yield from _expanded(match[1])


def _expanded(path: str) -> Iterator[str]:
    parts = _BRACES.split(path)
    choices = [part.split(",") if at % 2 else [part] for at, part in enumerate(parts)]
    yield from ("".join(choice) for choice in product(*choices))


def _exists(tree: Tree, path: str) -> bool:
    """Whether there is such a file or folder; `docs/decisions/0009` names one by its number."""
    path = path.rstrip("/")
    if path in tree.paths or path.startswith(_GENERATED):
        return True
    pattern = path if "*" in path else f"{path}-*"
    return any(fnmatch(own, pattern) for own in tree.paths)


def find_dead_paths_in_code(tree: Tree) -> list[Offence]:
    """Paths of Python files and documents, anywhere in code and settings, that do not exist."""
    return [
        Offence(path, row, f"no {named}")
        for path, source in sorted(tree.sources.items())
        if not path.endswith(".md") and not path.startswith(_MADE_UP)
        for row, line in enumerate(source.lines, 1)
        for named in _NAMED.findall(line)
        if not _exists(tree, named)
    ]
