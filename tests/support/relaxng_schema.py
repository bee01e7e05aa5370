"""Reads a schema in RELAX NG's XML syntax, as far as a converter from the compact one writes it."""

from collections.abc import Callable, Iterable
from functools import cache, reduce

from lxml import etree

from tests.support.relaxng import (
    EMPTY,
    NOT_ALLOWED,
    TEXT,
    Attribute,
    Data,
    Element,
    Name,
    Pattern,
    Tokens,
    Validator,
    Value,
    choice,
    group,
    mixed,
    one_or_more,
)

_SPACE = "{http://relaxng.org/ns/structure/1.0}"
_LEAVES = {"empty": EMPTY, "notAllowed": NOT_ALLOWED, "text": TEXT}
_SEVERAL: dict[str, Callable[[Pattern], Pattern]] = {
    "group": lambda content: content,
    "optional": lambda content: choice(content, EMPTY),
    "oneOrMore": one_or_more,
    "zeroOrMore": lambda content: choice(one_or_more(content), EMPTY),
    "mixed": mixed,
    "list": Tokens,
}
"""Element of the schema -> a function from the pattern of its content to its own pattern."""


def validator_of(grammar: etree._Element) -> Validator:
    """A validator of documents."""
    start = grammar.find(f"{_SPACE}start")
    assert start is not None
    return Validator(_Reader(grammar).all_of(start))


class _Reader:
    """Turns elements of a schema into patterns."""

    def __init__(self, grammar: etree._Element) -> None:
        self._defined = {part.get("name", ""): part for part in grammar.iter(f"{_SPACE}define")}
        self._patterns: dict[str, Pattern] = {}

    def all_of(self, nodes: Iterable[etree._Element]) -> Pattern:
        """The patterns of `nodes` in sequence."""
        patterns = [self._pattern(node) for node in nodes]
        return reduce(lambda rest, pattern: group(pattern, rest), reversed(patterns), EMPTY)

    def _named(self, name: str) -> Pattern:
        if name not in self._patterns:
            self._patterns[name] = self.all_of(self._defined[name])
        return self._patterns[name]

    def _pattern(self, node: etree._Element) -> Pattern:
        kind = _kind(node)
        if kind in _LEAVES:
            return _LEAVES[kind]
        if kind in _SEVERAL:
            return _SEVERAL[kind](self.all_of(node))
        match kind:
            case "ref":
                return self._named(node.get("name", ""))
            case "choice":
                return reduce(choice, map(self._pattern, node), NOT_ALLOWED)
            case "value":
                return Value(" ".join((node.text or "").split()))
            case "data":
                facets = tuple((facet.get("name", ""), facet.text or "") for facet in node)
                return Data(node.get("type", ""), facets)
        names, *content = node
        if kind == "attribute":
            return Attribute(_has(names), self.all_of(content) if content else TEXT)
        assert kind == "element", kind
        return Element(_has(names), cache(lambda: self.all_of(content)))


def _kind(node: etree._Element) -> str:
    return etree.QName(node).localname


def _has(names: etree._Element) -> Callable[[Name], bool]:
    """A function that returns whether a name belongs to a class of names."""
    kind, space = _kind(names), names.get("ns", "")
    if kind == "choice":
        several = [_has(each) for each in names]
        return lambda name: any(has(name) for has in several)
    if kind == "name":
        return lambda name: name == (space, names.text)
    but = [_has(each) for each in names.iterfind(f"{_SPACE}except/*")]
    if kind == "nsName":
        return lambda name: name[0] == space and not any(has(name) for has in but)
    assert kind == "anyName", kind
    return lambda name: not any(has(name) for has in but)
