"""Reads YAML nodes as values, and reports every value that cannot be read."""

import difflib
from collections.abc import Callable, Iterable, Mapping

import msgspec

from packager.config.decoding.report import FileReport
from packager.config.decoding.shapes import (
    FieldShape,
    ListShape,
    MapShape,
    Shape,
    StructShape,
    TaggedShape,
)
from packager.config.quantities import quoted
from packager.config.scalars import Scalar
from packager.config.secret import read_secret
from packager.config.yaml_reader import YamlList, YamlMap, YamlNode, YamlText, join
from packager.track import TRACK_ID

StructCheck = Callable[[object, str, FileReport], None]
"""Checks one struct, which stands at a path, against the rules of its type."""

_NULL = ("null", "~")


class ConfigDecoder:
    """Reads the nodes of one file.

    A wrong value is reported and replaced by a default or a stand-in, so `read` always returns a
    value of the type. The value is of use only if the report stays empty.
    """

    def __init__(
        self,
        report: FileReport,
        environment: Mapping[str, str],
        checks: Mapping[type[msgspec.Struct], StructCheck],
        passed_over: Mapping[type[msgspec.Struct], frozenset[str]],
    ) -> None:
        self._report = report
        self._environment = environment
        self._checks = checks
        self._passed_over = passed_over

    def read(self, node: YamlNode, shape: Shape, path: str, example: str = "") -> object:
        """`node`, which stands at `path`, as a value of this shape; `example` is one for errors."""
        match shape:
            case Scalar():
                return self._scalar(node, shape, path, example)
            case StructShape():
                return self.struct(node, shape, path)
            case TaggedShape():
                return self.tagged(node, shape, path)
            case ListShape():
                return self._list(node, shape, path)
            case MapShape():
                return self._map(node, shape, path)

    def _scalar(self, node: YamlNode, scalar: Scalar, path: str, example: str) -> object:
        remedy = scalar.remedy or f"use for example {example or scalar.example}"
        if not isinstance(node, YamlText):
            self._report.wrong(
                path, f"expected {scalar.expected}, got {_shown(node, scalar)}", remedy
            )
            return scalar.stand_in
        if not scalar.secret and any(map(_is_control, node.text)):
            reason = f"control characters are not allowed, got {quoted(node.text)}"
            self._report.wrong(path, reason, "remove them")
            return scalar.stand_in
        try:
            if scalar.secret:
                return read_secret(node.text, self._environment)
            return scalar.read(node.text)
        except (ValueError, KeyError) as error:
            reason = f"expected {scalar.expected}, got {_shown(node, scalar)}"
            if scalar.explains:
                reason = str(error)
            self._report.wrong(path, reason, remedy)
            return scalar.stand_in

    def tagged(
        self,
        node: YamlNode,
        shape: TaggedShape,
        path: str,
        given: Mapping[str, object] | None = None,
    ) -> object:
        """`node` as the member of `shape` that its tag names; `given` as for `struct`."""
        members = shape.members
        if not isinstance(node, YamlMap):
            return self._no_mapping(node, path, next(iter(members.values())), shape.tag)
        place = join(path, shape.tag)
        entry = node.entries.get(shape.tag)
        known = _either(members)
        if entry is None:
            self._report.note(place, "missing", f"add `{shape.tag}:` with {known}", node.mark)
        elif isinstance(entry.value, YamlText) and entry.value.text in members:
            return self.struct(node, members[entry.value.text], path, shape.tag, given)
        else:
            got = _shown(entry.value)
            self._report.note(place, f"expected {known}, got {got}", "use one of these")
        self._report.mark_wrong(path)
        return stand_in(next(iter(members.values())))

    def struct(
        self,
        node: YamlNode,
        shape: StructShape,
        path: str,
        tag: str = "",
        given: Mapping[str, object] | None = None,
    ) -> object:
        """`node` as a struct; `given` are the values of attributes that no file sets."""
        if not isinstance(node, YamlMap):
            return self._no_mapping(node, path, shape, tag)
        misspelt = self._unknown_keys(node, shape, path, tag)
        values = dict(given or {})
        for key, field in shape.fields.items():
            if key in misspelt:
                self._report.mark_wrong(join(path, key))
                values[field.name] = stand_in(field.shape) if field.required else field.default
            else:
                values[field.name] = self._field(node, field, join(path, key))
        value = shape.kind(**values)
        if (check := self._checks.get(shape.kind)) is not None:
            check(value, path, self._report)
        return value

    def _field(self, node: YamlMap, field: FieldShape, path: str) -> object:
        entry = node.entries.get(field.key)
        if entry is None and field.required:
            remedy = f"add `{field.key}: {example_of(field)}`" if example_of(field) else "add it"
            self._report.wrong(path, "missing", remedy, node.mark)
        if entry is None:
            return stand_in(field.shape) if field.required else field.default
        value = entry.value
        if field.optional and isinstance(value, YamlText) and value.text in _NULL:
            return None
        return self.read(value, field.shape, path, example_of(field))

    def _unknown_keys(self, node: YamlMap, shape: StructShape, path: str, tag: str) -> set[str]:
        """Report the keys that the struct does not have; return the keys that they resemble."""
        meant: set[str] = set()
        known = [*([tag] if tag else []), *shape.fields]
        others = self._passed_over.get(shape.kind, frozenset())
        for key, entry in node.entries.items():
            if key in known or key in others:
                continue
            free = [one for one in (*known, *sorted(others)) if one not in node.entries]
            close = difflib.get_close_matches(key, free, n=1)
            meant.update(close)
            remedy = f"did you mean {close[0]}?" if close else f"the keys are {_listed(known)}"
            self._report.note(join(path, key), "unknown key", remedy, entry.mark)
        return meant

    def _list(self, node: YamlNode, shape: ListShape, path: str) -> tuple[object, ...]:
        rule = shape.rule
        if rule.lone and isinstance(node, YamlText):
            return (self.read(node, shape.item, path),)
        if not isinstance(node, YamlList) or not rule.least <= len(node.items) <= rule.most:
            remedy = f"write a list of {max(rule.least, 1)} to {rule.most}"
            self._report.wrong(path, f"expected {rule.expected}, got {_shown(node, shape)}", remedy)
            return ()
        items = enumerate(node.items)
        return tuple(self.read(item, shape.item, f"{path}[{at}]") for at, item in items)

    def _map(self, node: YamlNode, shape: MapShape, path: str) -> dict[str, object]:
        rule = shape.rule
        if not isinstance(node, YamlMap) or not rule.least <= len(node.entries) <= rule.most:
            remedy = f"write {rule.least} to {rule.most} entries, each `{rule.key_name}: …`"
            self._report.wrong(path, f"expected {rule.expected}, got {_shown(node, shape)}", remedy)
            if not isinstance(node, YamlMap):
                return {}
        values: dict[str, object] = {}
        for key, entry in node.entries.items():
            place = join(path, key)
            if TRACK_ID.fullmatch(key) is None:
                reason = f"{rule.keys}'s name has at most 32 of a-z, 0-9, - and _"
                self._report.note(place, reason, "begin it with a-z or 0-9", entry.mark)
            values[key] = self.read(entry.value, shape.value, place)
        return values

    def _no_mapping(self, node: YamlNode, path: str, shape: StructShape, tag: str) -> object:
        keys = [tag] if tag else list(shape.fields)[:3]
        remedy = f"write keys below it, such as {_listed(keys)}"
        self._report.wrong(path, f"expected a mapping, got {_shown(node, shape)}", remedy)
        return stand_in(shape)


def stand_in(shape: Shape) -> object:
    """A value of this shape: it takes the place of a wrong one."""
    match shape:
        case Scalar():
            return shape.stand_in
        case ListShape():
            return ()
        case MapShape():
            return {}
        case TaggedShape():
            return stand_in(next(iter(shape.members.values())))
        case StructShape():
            values = {
                field.name: stand_in(field.shape) if field.required else field.default
                for field in shape.fields.values()
            }
            return shape.kind(**values, **dict.fromkeys(shape.given, ""))


def example_of(field: FieldShape) -> str:
    """A value of this field as it is written in YAML; empty for a mapping."""
    if field.note.example:
        return field.note.example
    shape = field.shape
    if isinstance(shape, ListShape) and isinstance(shape.item, Scalar):
        return shape.item.example if shape.rule.lone else f"[{shape.item.example}]"
    return shape.example if isinstance(shape, Scalar) else ""


def _either(words: Iterable[str]) -> str:
    *others, last = words
    return f"{', '.join(others)} or {last}" if others else last


def _listed(words: list[str]) -> str:
    *others, last = words
    return f"{', '.join(others)} and {last}" if others else last


def _is_control(char: str) -> bool:
    return char < " " or char == "\x7f" or "\ud800" <= char <= "\udfff"


def _holds_secrets(shape: Shape) -> bool:
    """Whether a text in place of a value of this shape is probably a secret."""
    match shape:
        case Scalar():
            return shape.secret
        case ListShape():
            return _holds_secrets(shape.item)
        case MapShape():
            return _holds_secrets(shape.value)
        case StructShape():
            return all(_holds_secrets(field.shape) for field in shape.fields.values())
        case TaggedShape():
            return False


def _shown(node: YamlNode, shape: Shape | None = None) -> str:
    """`node`, which stands in place of a value of this shape, on one line and without secrets."""
    match node:
        case YamlMap():
            return f"a mapping of {len(node.entries)}"
        case YamlList():
            return f"a list of {len(node.items)}"
        case YamlText():
            if shape is not None and _holds_secrets(shape):
                return "text" if node.text else "nothing"
            return quoted(node.text) if node.text else "nothing"
