"""The sentence that stands below each attribute of a class in its source."""

import ast
import inspect
import textwrap
from functools import cache


@cache
def attribute_sentences(kind: type) -> dict[str, str]:
    """The text below each attribute of `kind` and of the classes that it is derived from."""
    sentences: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        if base.__module__.startswith("packager."):
            sentences.update(_own(base))
    return sentences


def class_sentence(kind: type) -> str:
    """The first paragraph of the docstring of `kind`, on one line."""
    return " ".join(inspect.cleandoc(kind.__doc__ or "").partition("\n\n")[0].split())


def _own(kind: type) -> dict[str, str]:
    (definition,) = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
    if not isinstance(definition, ast.ClassDef):
        raise TypeError(kind)
    found: dict[str, str] = {}
    for field, text in zip(definition.body, definition.body[1:], strict=False):
        match field, text:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str(sentence))),
            ):
                found[name] = " ".join(inspect.cleandoc(sentence).split())
            case _:
                continue
    return found
