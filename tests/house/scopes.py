"""Prose by scope: `product`, `tests` and `bench` are comments and docstrings of these folders."""

from collections.abc import Callable, Iterator
from functools import cache

from tests.house import messages
from tests.house.passages import Passage, python_passages, script_passages, yaml_passages
from tests.house.plain import plain
from tests.house.tree import PRODUCT, Tree

_DOCUMENTS = ("docs/", "README.md", "CHANGELOG.md", "CONTRIBUTING.md")


def _product(tree: Tree) -> Iterator[Passage]:
    yield from _comments(tree, *PRODUCT)
    for source in tree.under("profiles/", "deploy/", suffix=".yaml"):
        yield from yaml_passages(source)


def _comments(tree: Tree, *folders: str) -> Iterator[Passage]:
    for source in tree.under(*folders):
        yield from python_passages(source)
    for suffix in (".js", ".css"):
        for source in tree.under(*folders, suffix=suffix):
            yield from script_passages(source)


def _docs(tree: Tree) -> Iterator[Passage]:
    for source in tree.under(*_DOCUMENTS, suffix=".md"):
        yield Passage(source.path, 1, plain(source.text))


def _messages(tree: Tree) -> Iterator[Passage]:
    for source in tree.under(*PRODUCT):
        yield from messages.python_messages(source)
    for source in tree.under("origin/", suffix=".js"):
        yield from messages.script_messages(source)
    for source in tree.under("origin/", suffix=".html"):
        yield from messages.page_messages(source)
    for source in tree.under("deploy/prometheus/", suffix=".yaml"):
        yield from messages.alert_messages(source)


SCOPES: dict[str, Callable[[Tree], Iterator[Passage]]] = {
    "product": _product,
    "tests": lambda tree: _comments(tree, "tests/"),
    "bench": lambda tree: _comments(tree, "bench/"),
    "docs": _docs,
    "messages": _messages,
}


@cache
def passages(tree: Tree, scope: str) -> tuple[Passage, ...]:
    """All prose of one scope, in the order of the files."""
    return tuple(SCOPES[scope](tree))
