"""Validation by RELAX NG (ISO/IEC 19757-2) with derivatives, as James Clark described it.

libxml2 has a validator too, but it tries every combination of optional attributes: an invalid
document keeps it busy for hours.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache, reduce

from lxml import etree

from tests.support.datatypes import Facets, is_allowed

Name = tuple[str, str]
"""Namespace and local name."""


class Pattern:
    """The content that may follow. Patterns with equal parts are the same object."""


@dataclass(frozen=True, eq=False)
class Leaf(Pattern):
    kind: str


@dataclass(frozen=True, eq=False)
class Data(Pattern):
    type: str
    facets: Facets


@dataclass(frozen=True, eq=False)
class Value(Pattern):
    text: str


@dataclass(frozen=True, eq=False)
class Tokens(Pattern):
    """A list between spaces."""

    content: Pattern


@dataclass(frozen=True, eq=False)
class Choice(Pattern):
    one: Pattern
    two: Pattern


@dataclass(frozen=True, eq=False)
class Group(Pattern):
    one: Pattern
    two: Pattern


@dataclass(frozen=True, eq=False)
class Mixed(Pattern):
    """A pattern with text anywhere in it."""

    content: Pattern


@dataclass(frozen=True, eq=False)
class OneOrMore(Pattern):
    content: Pattern


@dataclass(frozen=True, eq=False)
class Attribute(Pattern):
    has: Callable[[Name], bool]
    content: Pattern


@dataclass(frozen=True, eq=False)
class Element(Pattern):
    has: Callable[[Name], bool]
    content: Callable[[], Pattern]
    """A function, since an element may contain elements of its own kind."""


EMPTY, NOT_ALLOWED, TEXT = Leaf("empty"), Leaf("notAllowed"), Leaf("text")
Step = Callable[[Pattern], Pattern]
"""Leaf -> the pattern that may follow after one attribute, element or token."""


@cache
def choice(one: Pattern, two: Pattern) -> Pattern:
    if one is NOT_ALLOWED or one is two:
        return two
    return one if two is NOT_ALLOWED else Choice(one, two)


@cache
def group(one: Pattern, two: Pattern) -> Pattern:
    if one is NOT_ALLOWED or two is NOT_ALLOWED:
        return NOT_ALLOWED
    if one is EMPTY:
        return two
    return one if two is EMPTY else Group(one, two)


@cache
def mixed(content: Pattern) -> Pattern:
    return content if content is NOT_ALLOWED else Mixed(content)


@cache
def one_or_more(content: Pattern) -> Pattern:
    return content if content in (NOT_ALLOWED, EMPTY) else OneOrMore(content)


@cache
def nullable(pattern: Pattern) -> bool:
    """Whether the pattern matches empty content."""
    match pattern:
        case Choice(one, two):
            return nullable(one) or nullable(two)
        case Group(one, two):
            return nullable(one) and nullable(two)
        case Mixed(content) | OneOrMore(content):
            return nullable(content)
        case _:
            return pattern in (EMPTY, TEXT)


def after(pattern: Pattern, step: Step, *, in_order: bool = True) -> Pattern:
    """The pattern that may follow once a leaf has taken `step`.

    Attributes are matched in any order.
    """
    match pattern:
        case Choice(one, two):
            return choice(after(one, step, in_order=in_order), after(two, step, in_order=in_order))
        case Group(one, two):
            taken = group(after(one, step, in_order=in_order), two)
            if in_order and not nullable(one):
                return taken
            left = EMPTY if in_order else one
            return choice(taken, group(left, after(two, step, in_order=in_order)))
        case Mixed(content):
            return mixed(after(content, step, in_order=in_order))
        case OneOrMore(content):
            return group(after(content, step, in_order=in_order), choice(pattern, EMPTY))
        case _:
            return step(pattern)


@cache
def without_attributes(pattern: Pattern) -> Pattern:
    """The pattern that may follow after the last attribute."""
    match pattern:
        case Attribute():
            return NOT_ALLOWED
        case Choice(one, two):
            return choice(without_attributes(one), without_attributes(two))
        case Group(one, two):
            return group(without_attributes(one), without_attributes(two))
        case Mixed(content):
            return mixed(without_attributes(content))
        case OneOrMore(content):
            return one_or_more(without_attributes(content))
        case _:
            return pattern


@cache
def is_text(text: str, pattern: Pattern) -> bool:
    """Whether the pattern matches this string alone."""
    match pattern:
        case Choice(one, two):
            return is_text(text, one) or is_text(text, two)
        case Group(one, two):
            # Without attributes, only one of the two patterns is about text.
            return any(is_text(text, a) and nullable(b) for a, b in ((one, two), (two, one)))
        case Data(kind, facets):
            return is_allowed(text, kind, facets)
        case Value(value):
            return " ".join(text.split()) == value
        case Tokens(content):
            tokens = reduce(lambda left, token: after(left, _token(token)), text.split(), content)
            return nullable(tokens)
        case Mixed(content):
            return nullable(content)
        case _:
            return pattern is TEXT or (not text.strip() and nullable(pattern))


def _token(text: str) -> Step:
    def step(leaf: Pattern) -> Pattern:
        return EMPTY if isinstance(leaf, Data | Value) and is_text(text, leaf) else NOT_ALLOWED

    return step


@cache
def _after_text(pattern: Pattern) -> Pattern:
    """The pattern that may follow text between elements."""
    match pattern:
        case Choice(one, two):
            return choice(_after_text(one), _after_text(two))
        case Group(one, two):
            taken = group(_after_text(one), two)
            return choice(taken, _after_text(two)) if nullable(one) else taken
        case Mixed():
            return pattern
        case OneOrMore(content):
            return group(_after_text(content), choice(pattern, EMPTY))
        case _:
            return TEXT if pattern is TEXT else NOT_ALLOWED


def _name(name: str) -> Name:
    qualified = etree.QName(name)
    return qualified.namespace or "", qualified.localname


class Validator:
    """Checks documents against a pattern."""

    def __init__(self, start: Pattern) -> None:
        self.start = start

    def problem(self, root: etree._Element) -> str:
        """The first problem and its place; empty for a valid document."""
        found: list[str] = []
        self._child(self.start, root, found)
        return found[0] if found else ""

    def _child(self, pattern: Pattern, node: etree._Element, found: list[str]) -> Pattern:
        """The pattern that may follow `node`."""
        name = _name(str(node.tag))
        results: dict[Pattern, bool] = {}

        def step(leaf: Pattern) -> Pattern:
            if not isinstance(leaf, Element) or not leaf.has(name):
                return NOT_ALLOWED
            if leaf not in results:
                results[leaf] = self._is_valid(leaf.content(), node, found)
            return EMPTY if results[leaf] else NOT_ALLOWED

        left = after(pattern, step)
        if left is NOT_ALLOWED and not results:
            found.append(f"{_path(node)}: not expected here")
        return left

    def _is_valid(self, pattern: Pattern, node: etree._Element, found: list[str]) -> bool:
        for name, value in node.attrib.items():
            pattern = _after_attribute(pattern, _name(str(name)), str(value))
            if pattern is NOT_ALLOWED:
                found.append(f'{_path(node)}: {name}="{value}" is not allowed')
                return False
        pattern = without_attributes(pattern)
        if pattern is NOT_ALLOWED:
            found.append(f"{_path(node)}: an attribute is missing")
            return False
        children = list(node.iterchildren(etree.Element))
        if not children:
            is_right = is_text("".join(node.itertext()), pattern)
        else:
            is_right = self._are_valid(pattern, node, children, found)
        if not is_right:
            found.append(f"{_path(node)}: its content is not what is wanted, or not complete")
        return is_right

    def _are_valid(
        self,
        pattern: Pattern,
        node: etree._Element,
        children: Iterable[etree._Element],
        found: list[str],
    ) -> bool:
        if (node.text or "").strip():
            pattern = _after_text(pattern)
        for child in children:
            pattern = self._child(pattern, child, found)
            if (child.tail or "").strip():
                pattern = _after_text(pattern)
        return nullable(pattern)


@cache
def _after_attribute(pattern: Pattern, name: Name, value: str) -> Pattern:
    def step(leaf: Pattern) -> Pattern:
        is_it = isinstance(leaf, Attribute) and leaf.has(name) and is_text(value, leaf.content)
        return EMPTY if is_it else NOT_ALLOWED

    return after(pattern, step, in_order=False)


def _path(node: etree._Element) -> str:
    chain = [node, *node.iterancestors()]
    return "/" + "/".join(_name(str(each.tag))[1] for each in reversed(chain))
