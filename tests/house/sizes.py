"""Sizes of files, functions and classes of the product."""

import ast
from collections.abc import Iterator

from tests.house.tree import PRODUCT, Offence, Source, Tree

_VENDORED = ("/vendor/", "/vendored/", ".min.js")
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def find_long_files(tree: Tree, most: int) -> list[Offence]:
    """Python files, and scripts of the origin's page, with more than `most` lines."""
    scripts = tree.under("origin/", suffix=".js")
    own = (source for source in scripts if not any(part in source.path for part in _VENDORED))
    return [
        Offence(source.path, 0, f"{len(source.lines)} lines, at most {most}")
        for source in (*tree.under(*PRODUCT), *own)
        if len(source.lines) > most
    ]


def find_long_functions(tree: Tree, most: int) -> list[Offence]:
    """Functions with more than `most` lines: docstring counted, decorators not."""
    return [
        Offence(source.path, node.lineno, f"{node.name}: {lines} lines, at most {most}")
        for source in tree.under(*PRODUCT)
        for node in source.nodes
        if isinstance(node, _FUNCTIONS)
        if (lines := (node.end_lineno or node.lineno) - node.lineno + 1) > most
    ]


def find_wide_classes(tree: Tree, most: int) -> list[Offence]:
    """Classes with more than `most` attributes: annotated fields, and those set on `self`."""
    return [
        Offence(source.path, node.lineno, f"{node.name}: {count} attributes, at most {most}")
        for source in tree.under(*PRODUCT)
        for node in source.nodes
        if isinstance(node, ast.ClassDef)
        if (count := len(set(_attributes(node)))) > most
    ]


def _attributes(node: ast.ClassDef) -> Iterator[str]:
    for statement in node.body:
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            yield statement.target.id
        elif isinstance(statement, _FUNCTIONS):
            yield from _set_on_self(statement)


def _set_on_self(method: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[str]:
    arguments = [*method.args.posonlyargs, *method.args.args]
    own = arguments[0].arg if arguments else ""
    for node in ast.walk(method):
        match node:
            case ast.Attribute(value=ast.Name(id=owner), attr=name, ctx=ast.Store()) if (
                owner == own
            ):
                yield name
            case _:
                pass


def find_repeated_classes(tree: Tree) -> list[Offence]:
    """Public names that classes of more than one module have; the first module is the place."""
    places: dict[str, list[tuple[Source, int]]] = {}
    for source in tree.under(*PRODUCT):
        for node in source.module.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places.setdefault(node.name, []).append((source, node.lineno))
    return [
        Offence(first.path, line, f"class {name} is also in {', '.join(o.path for o, _ in others)}")
        for name, ((first, line), *others) in sorted(places.items())
        if others
    ]
