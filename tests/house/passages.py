"""Prose in source files: docstrings and comments."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from inspect import cleandoc

from tests.house.plain import BREAK, plain
from tests.house.tree import Source

_ONE_LINE = r"\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'"
_PYTHON = re.compile(rf"\"\"\".*?(?<!\\)\"\"\"|'''.*?(?<!\\)'''|{_ONE_LINE}|#[^\n]*", re.DOTALL)
_YAML = re.compile(rf"{_ONE_LINE}|(?:^|(?<=\s))#[^\n]*", re.MULTILINE)
SCRIPT = re.compile(rf"{_ONE_LINE}|`(?:\\.|[^`\\])*`|/\*.*?\*/|(?<!:)//[^\n]*", re.DOTALL)
"""Strings and comments of a language: a comment sign within a string is part of the string."""
_COMMENT = ("#", "//", "/*")
_DIRECTIVE = re.compile(
    r"^\s*(?:noqa\b[^a-z]*|type:\s*ignore\S*|pragma:.*|fmt:.*|pyright:.*|mypy:.*|ruff:.*|!.*)"
)


@dataclass(frozen=True)
class Passage:
    """Prose without code, that begins at a line of a file."""

    path: str
    line: int
    text: str

    def line_at(self, offset: int) -> int:
        """The line of the file that holds the character at `offset` of the text."""
        return self.line + self.text.count("\n", 0, offset)


def python_passages(source: Source) -> Iterator[Passage]:
    """Docstrings, of attributes too, and comments of a Python file."""
    for node in source.nodes:
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            value = node.value.value
            if isinstance(value, str):
                yield Passage(source.path, node.lineno, plain(_dedented(value)))
    yield from _comments(source, _PYTHON)


def script_passages(source: Source) -> Iterator[Passage]:
    """Comments of JavaScript or CSS."""
    yield from _comments(source, SCRIPT)


def yaml_passages(source: Source) -> Iterator[Passage]:
    """Comments of YAML."""
    yield from _comments(source, _YAML)


def _dedented(docstring: str) -> str:
    """A docstring without its indentation; empty lines at its start stay."""
    start = len(docstring) - len(docstring.lstrip("\n"))
    return "\n" * start + cleandoc(docstring)


def _comments(source: Source, tokens: re.Pattern[str]) -> Iterator[Passage]:
    """Comments; those on lines that follow one another are one passage."""
    block: list[str] = []
    first = last = 0
    for token in tokens.finditer(source.text):
        if not token[0].startswith(_COMMENT):
            continue
        row = source.text.count("\n", 0, token.start()) + 1
        start = source.text.rfind("\n", 0, token.start()) + 1
        alone = not source.text[start : token.start()].strip()
        lines = [
            _DIRECTIVE.sub("", line.strip(" #*/")).strip(" -") for line in token[0].split("\n")
        ]
        if block and alone and row == last + 1:
            block += lines
        else:
            yield from _block(source.path, first, block)
            block, first = lines, row
        last = row + len(lines) - 1 if alone else 0
    yield from _block(source.path, first, block)


def _block(path: str, line: int, lines: list[str]) -> Iterator[Passage]:
    text = plain("\n".join(lines))
    if text.strip(BREAK + "\n"):
        yield Passage(path, line, text)
