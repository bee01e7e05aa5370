"""Reads YAML text into mappings, lists and texts, each with its line and column.

Every scalar stays text until the type of its field reads it. Aliases and tags are refused, so a
short text cannot become a large tree.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import yaml

from packager.errors import Problem

MAX_TEXT = 256 * 1024
"""Characters of the longest YAML text that is read."""

_MAX_DEPTH = 16
_MAX_PROBLEMS = 20
"""Problems of the notation that are reported for one text."""

_OUT_OF_RANGE = re.compile(r"\\U(?!00(?:0|10))|^%", re.MULTILINE)
_KEY = re.compile(r"[A-Za-z0-9_-]{1,64}")


class Mark(NamedTuple):
    """A position in a text; both count from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class YamlText:
    """A scalar."""

    text: str
    mark: Mark


@dataclass(frozen=True, slots=True)
class YamlList:
    """A sequence."""

    items: "tuple[YamlNode, ...]"
    mark: Mark


@dataclass(frozen=True, slots=True)
class YamlEntry:
    """The value of one key of a mapping."""

    mark: Mark
    """Of the key."""
    value: "YamlNode"


@dataclass(frozen=True, slots=True)
class YamlMap:
    """A mapping."""

    entries: dict[str, YamlEntry]
    mark: Mark


YamlNode = YamlText | YamlList | YamlMap


def read_yaml(text: str, file: str) -> tuple[YamlMap | None, list[Problem]]:
    """The mapping in `text`, and the problems of its notation.

    None for a text that holds no mapping. No problem quotes a value: it may be a secret.
    """
    if len(text) > MAX_TEXT:
        return None, [too_long(file)]
    reader = _TreeReader(file)
    try:
        problems = reader.refused_notation(text)
        node = None if problems else yaml.compose(text, Loader=yaml.BaseLoader)
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        return None, [reader.syntax(error, text)]
    if problems:
        return None, problems
    if not isinstance(node, yaml.MappingNode):
        reason = "empty" if node is None else "expected lines of `key: value`"
        return None, [reader.problem(reason, None, "see docs/configuration.md")]
    return reader.mapping(node, ""), reader.problems


def too_long(file: str) -> Problem:
    """The problem of a text of more than `MAX_TEXT` characters."""
    return Problem(file, "", f"longer than {MAX_TEXT // 1024} KiB", "split it, or remove comments")


def join(path: str, key: str) -> str:
    """The path of `key` in the mapping at `path`."""
    return f"{path}.{key}" if path else key


class _YamlPosition(Protocol):
    """A mark of PyYAML's, of either parser; both count from 0."""

    line: int
    column: int


_SYNTAX_REMEDIES = {
    "expected one document": "remove the line `---`: a file has one document",
    "%": "remove the line that begins with %, or quote the value",
    "directive": "remove the line that begins with %",
    "incompatible YAML": "remove the line that begins with %",
    "cannot start any token": "quote the value, and indent with spaces",
    "tags are": "remove the tag that begins with !, or quote the value",
}
"""Part of the parser's reason -> remedy."""
_SYNTAX_REMEDY = "check the indentation, quotes and brackets here and on the line above"
_CHARACTERS = "save the file as UTF-8 text without control characters"


def _syntax(error: yaml.MarkedYAMLError) -> str:
    reason = " ".join((error.problem or "not YAML").split())
    if reason.startswith("but found"):
        reason = f"expected one document, {reason}"
    # The message would quote the handle, which can be the beginning of a secret.
    return "tags are not supported" if "tag handle" in reason else reason


def _mark_at(text: str, position: int) -> Mark:
    line = text.count("\n", 0, position)
    return Mark(line + 1, position - text.rfind("\n", 0, position))


def _syntax_remedy(reason: str) -> str:
    found = (remedy for part, remedy in _SYNTAX_REMEDIES.items() if part in reason)
    return next(found, _SYNTAX_REMEDY)


def _mark(mark: _YamlPosition | None) -> Mark | None:
    return None if mark is None else Mark(mark.line + 1, mark.column + 1)


class _TreeReader:
    """Builds the tree of one text and collects the problems of its keys."""

    def __init__(self, file: str) -> None:
        self.problems: list[Problem] = []
        self._file = file

    def problem(self, reason: str, mark: Mark | None, remedy: str, path: str = "") -> Problem:
        line, column = (0, 0) if mark is None else mark
        return Problem(self._file, path, reason, remedy, line, column)

    def syntax(self, error: Exception, text: str) -> Problem:
        """The problem that ended the parsing."""
        if isinstance(error, yaml.MarkedYAMLError):
            reason = _syntax(error)
            return self.problem(reason, _mark(error.problem_mark), _syntax_remedy(reason))
        if isinstance(error, yaml.reader.ReaderError):
            # The message goes on with the name of the stream, on a second line.
            reason = str(error).partition("\n")[0]
            return self.problem(reason, _mark_at(text, error.position), _CHARACTERS)
        # PyYAML converts an escape such as "\UFFFFFFFF" and a version without a check of its size.
        found = _OUT_OF_RANGE.search(text)
        mark = _mark_at(text, found.start()) if found else None
        return self.problem("an escape or a directive is out of range", mark, "remove it")

    def refused_notation(self, text: str) -> list[Problem]:
        """Aliases, tags and deep nesting: at most `_MAX_PROBLEMS` of them."""
        found: list[Problem] = []
        for reason, mark, remedy in _refused(text):
            found.append(self.problem(reason, mark, remedy))
            if len(found) == _MAX_PROBLEMS:
                break
        return found

    def mapping(self, node: yaml.MappingNode, path: str) -> YamlMap:
        entries: dict[str, YamlEntry] = {}
        for key_node, value in node.value:
            mark = _start(key_node)
            if not isinstance(key_node, yaml.ScalarNode):
                self._refuse(path, "a key is text, not a list or a mapping", mark, "quote the text")
                continue
            key = str(key_node.value)
            if not _KEY.fullmatch(key):
                remedy = "write at most 64 letters, digits, - and _"
                self._refuse(path, "not a key", mark, remedy)
                continue
            place = join(path, key)
            if key in entries:
                first = entries[key].mark.line
                reason = f"given twice, first on line {first}"
                self._refuse(place, reason, mark, "remove one of the two")
                continue
            entries[key] = YamlEntry(mark, self._node(value, place))
        return YamlMap(entries, _start(node))

    def _node(self, node: yaml.Node, path: str) -> YamlNode:
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            items = (self._node(item, f"{path}[{at}]") for at, item in enumerate(node.value))
            return YamlList(tuple(items), _start(node))
        return YamlText(str(node.value), _start(node))

    def _refuse(self, path: str, reason: str, mark: Mark, remedy: str) -> None:
        if len(self.problems) < _MAX_PROBLEMS:
            self.problems.append(self.problem(reason, mark, remedy, path))


def _start(node: yaml.Node) -> Mark:
    return Mark(node.start_mark.line + 1, node.start_mark.column + 1)


def _refused(text: str) -> Iterator[tuple[str, Mark | None, str]]:
    """Notation that makes a short text a large tree, and tags, which have no meaning here."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.BaseLoader):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        mark = _mark(event.start_mark)
        if isinstance(event, yaml.AliasEvent):
            yield "aliases are not supported", mark, "write the value out"
        elif depth == _MAX_DEPTH + 1 and isinstance(event, yaml.CollectionStartEvent):
            yield "nested too deep", mark, f"use at most {_MAX_DEPTH} levels"
            return  # the parser's time grows with the square of the depth
        elif isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent) and event.tag:
            yield "tags are not supported", mark, "remove the tag that begins with !"
