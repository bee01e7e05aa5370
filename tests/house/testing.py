"""How tests are written: what they reach into, import, skip, and sleep for."""

import ast
from collections.abc import Iterator

from tests.house.tree import Offence, Source, Tree

_PUBLIC = {"_replace", "_asdict", "_fields", "_make", "_field_defaults", "_Element"}
"""Methods of named tuples, and the type of an element in lxml."""
_OWN = {"self", "cls"}
_SKIPS = {
    "pytest.skip",
    "pytest.xfail",
    "pytest.importorskip",
    "pytest.mark.skip",
    "pytest.mark.skipif",
    "pytest.mark.xfail",
    "unittest.skip",
}
_SLEEPS = {"sleep", "time.sleep", "asyncio.sleep", "anyio.sleep"}


def find_private_reads(tree: Tree) -> list[Offence]:
    """Private attributes of other objects that tests use."""
    return [
        Offence(source.path, node.lineno, ast.unparse(node))
        for source in tree.under("tests/")
        for node in source.nodes
        if isinstance(node, ast.Attribute) and _is_private(node)
    ]


def _is_private(node: ast.Attribute) -> bool:
    own = isinstance(node.value, ast.Name) and node.value.id in _OWN
    dunder = node.attr.startswith("__") and node.attr.endswith("__")
    return node.attr.startswith("_") and not (own or dunder or node.attr in _PUBLIC)


def find_test_imports(tree: Tree) -> list[Offence]:
    """Imports of test modules by modules below tests/."""
    return [
        Offence(source.path, node.lineno, ast.unparse(node))
        for source in tree.under("tests/")
        for node in source.nodes
        if isinstance(node, (ast.Import, ast.ImportFrom)) and _imports_test(node)
    ]


def _imports_test(node: ast.Import | ast.ImportFrom) -> bool:
    if isinstance(node, ast.Import):
        return any(_is_test(name.name) for name in node.names)
    module = node.module or ""
    own = node.level > 0 or module.split(".")[0] == "tests"
    return own and (_is_test(module) or any(_is_test(name.name) for name in node.names))


def _is_test(module: str) -> bool:
    return module.rpartition(".")[2].startswith("test_")


def find_skips(tree: Tree) -> list[Offence]:
    """Tests that are skipped or expected to fail."""
    return [
        Offence(source.path, node.lineno, name)
        for source in tree.under("tests/")
        for node in source.nodes
        if isinstance(node, ast.Attribute) and (name := ast.unparse(node)) in _SKIPS
    ]


def find_sleeps(tree: Tree, *, polling: bool) -> list[Offence]:
    """Sleeps for a fixed time above zero: those within a `while` loop, or all others."""
    return [
        Offence(source.path, call.lineno, ast.unparse(call))
        for source in tree.under("tests/")
        for call, looped in _sleeps(source)
        if looped is polling
    ]


def _sleeps(source: Source) -> Iterator[tuple[ast.Call, bool]]:
    """Each sleep for a literal time, and whether it is within a `while` loop."""
    if "sleep" not in source.text:
        return
    looped = {
        inner for node in source.nodes if isinstance(node, ast.While) for inner in ast.walk(node)
    }
    for node in source.nodes:
        if isinstance(node, ast.Call) and _is_fixed_sleep(node):
            yield node, node in looped


def _is_fixed_sleep(call: ast.Call) -> bool:
    match call.args:
        case [ast.Constant(value=int() | float() as seconds), *_]:
            return seconds > 0 and ast.unparse(call.func) in _SLEEPS
        case _:
            return False
