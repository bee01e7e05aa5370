"""Imports, the environment, and the settings in pyproject.toml that other programs check by."""

import ast
import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import cast

from tests.house.tree import PRODUCT, Offence, Source, Tree

PYPROJECT = "pyproject.toml"
LOOSE = {"packager.errors", "packager.layout", "packager.track", "origin.runtime.app"}
"""Modules outside of any folder, which a layers contract may name."""
LIMITS = {
    "max-complexity": 10,
    "max-args": 6,
    "max-branches": 10,
    "max-returns": 6,
    "max-statements": 40,
}
_LIMIT_CODES = re.compile(r"#\s*noqa:.*\b(?:C901|PLR09\d\d)\b")
_NAME = re.compile(r"[A-Za-z_][\w.]*")
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
_CHANGES = {"update", "setdefault", "pop", "popitem", "clear"}


def _settings(tree: Tree, *keys: str) -> Mapping[str, object]:
    node: object = tomllib.loads(tree.sources[PYPROJECT].text) if PYPROJECT in tree.sources else {}
    for key in keys:
        node = cast("dict[str, object]", node).get(key, {})
    return cast("dict[str, object]", node)


def _pyproject(tree: Tree, word: str, text: str) -> Offence:
    """An offence at the first line of pyproject.toml that has `word`; 0 where no line has it."""
    lines = tree.sources[PYPROJECT].lines if PYPROJECT in tree.sources else []
    row = next((row for row, line in enumerate(lines, 1) if word in line), 0)
    return Offence(PYPROJECT, row, text)


def find_named_modules(tree: Tree) -> list[Offence]:
    """Modules that a contract of import-linter names one by one, instead of their package."""
    contracts = _settings(tree, "tool", "importlinter").get("contracts", [])
    named = {
        name
        for contract in cast("list[dict[str, object]]", contracts)
        for name in _named(contract)
        if name.replace(".", "/") + ".py" in tree.paths
    }
    return [
        _pyproject(tree, name, f"import-linter names the module {name}") for name in sorted(named)
    ]


def _named(contract: Mapping[str, object]) -> Iterator[str]:
    """All modules and packages in a contract; the loose ones of a layers contract are left out."""
    layers = contract.get("type") == "layers"
    containers = cast("list[str]", contract.get("containers", []))
    for key, value in contract.items():
        if key in {"name", "type", "id"} or not isinstance(value, list):
            continue
        for name in _NAME.findall("\n".join(map(str, cast("list[object]", value)))):
            whole = [f"{container}.{name}" for container in containers] if key == "layers" else []
            yield from (word for word in [name, *whole] if not (layers and word in LOOSE))


def find_loose_limits(tree: Tree) -> list[Offence]:
    """Limits of ruff that are missing or above those of the house."""
    lint = _settings(tree, "tool", "ruff", "lint")
    mccabe = cast("Mapping[str, object]", lint.get("mccabe", {}))
    pylint = cast("Mapping[str, object]", lint.get("pylint", {}))
    values = {**pylint, **mccabe}
    return [
        _pyproject(tree, name, f"{name} is {value}, at most {most}")
        for name, most in LIMITS.items()
        if not isinstance(value := values.get(name), int) or value > most
    ]


def find_lifted_limits(tree: Tree) -> list[Offence]:
    """Lines of the product that switch a limit of ruff off by `noqa`."""
    return [
        Offence(source.path, row, line.strip())
        for source in tree.under(*PRODUCT)
        for row, line in enumerate(source.lines, 1)
        if _LIMIT_CODES.search(line)
    ]


def find_lazy_imports(tree: Tree) -> list[Offence]:
    """Imports within functions of the product."""
    return [
        Offence(source.path, node.lineno, ast.unparse(node))
        for source in tree.under(*PRODUCT)
        for node in _within_functions(source)
        if isinstance(node, (ast.Import, ast.ImportFrom))
    ]


def _within_functions(source: Source) -> set[ast.AST]:
    return {
        inner for node in source.nodes if isinstance(node, _FUNCTIONS) for inner in ast.walk(node)
    }


def find_environment_writes(tree: Tree) -> list[Offence]:
    """Places of the product that change the environment of the process."""
    return [
        Offence(source.path, node.lineno, ast.unparse(node))
        for source in tree.under(*PRODUCT)
        for node in source.nodes
        if isinstance(node, (ast.Subscript, ast.Call)) and _changes_environment(node)
    ]


def _changes_environment(node: ast.Subscript | ast.Call) -> bool:
    match node:
        case ast.Subscript(value=owner, ctx=ast.Store() | ast.Del()):
            return _is_environment(owner)
        case ast.Call(func=ast.Attribute(value=owner, attr=name)):
            return name in {"putenv", "unsetenv"} or (name in _CHANGES and _is_environment(owner))
        case _:
            return False


def _is_environment(node: ast.expr) -> bool:
    return ast.unparse(node) in {"os.environ", "environ"}
