"""YAML as people write it: text to mappings, lists and scalars, and these to typed values.

Every scalar stays text until a type or a word of the language reads it; what is wrong is named with
its place. Aliases and tags are not taken, so a short text cannot become a large tree.
"""

import difflib
import re
from collections.abc import Callable, Mapping
from typing import TypeVar, cast

import msgspec
import yaml
from msgspec import inspect

from packager.errors import ConfigError
from packager.secret import holds_secrets
from packager.units import quoted

MAX_TEXT = 256 * 1024
"""Characters of the longest YAML text that is read."""

_MAX_DEPTH = 16

_KEY = re.compile(r"[A-Za-z0-9_-]{1,64}")

_T = TypeVar("_T")

Words = Mapping[str, Callable[[str], object]]
"""The keys of a YAML language whose text is read in a way of its own, wherever they stand."""

# From text to mappings, lists and scalars.


def read_yaml(text: str, file: str) -> dict[str, object]:
    """The mapping in `text`, as nested dicts and lists of texts.

    Raises:
        ConfigError: no mapping, no YAML, longer than `MAX_TEXT`, or with aliases, tags or a key
            given twice.
    """
    if len(text) > MAX_TEXT:
        raise ConfigError(file, "", f"longer than {MAX_TEXT // 1024} KiB")
    try:
        _check_events(text, file)
        node = yaml.compose(text, Loader=yaml.BaseLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        reason = " ".join((error.problem or "not YAML").split())
        if "tag handle" in reason:  # with its name, which may be the beginning of a secret
            reason = "tags are not taken"
        raise ConfigError(file, f"line {mark.line + 1}" if mark else "", reason) from None
    except yaml.YAMLError as error:
        raise ConfigError(file, "", str(error).partition("\n")[0]) from None
    except (ValueError, OverflowError):
        # PyYAML takes an escape such as "\UFFFFFFFF" and a version of any length at their word.
        raise ConfigError(file, "", "an escape or a directive that is out of range") from None
    if not isinstance(node, yaml.MappingNode):
        raise ConfigError(file, "", "empty" if node is None else "expected lines of `key: value`")
    return _mapping(node, file, "")


def _check_events(text: str, file: str) -> None:
    """Refuse what makes a short text a large tree, and tags, which have no meaning here."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.BaseLoader):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if isinstance(event, yaml.AliasEvent):
            reason = "aliases are not taken"
        elif depth > _MAX_DEPTH:
            reason = "nested too deep"
        elif isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent) and event.tag:
            reason = "tags are not taken"
        else:
            continue
        raise ConfigError(
            file, f"line {event.start_mark.line + 1}" if event.start_mark else "", reason
        )


def _plain(node: yaml.Node, file: str, path: str) -> object:
    """`node` without its marks."""
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, file, path)
    if isinstance(node, yaml.SequenceNode):
        items = enumerate(node.value)
        return [_plain(item, file, f"{path}[{index}]") for index, item in items]
    text = str(node.value)
    if any(char < " " or char == "\x7f" or "\ud800" <= char <= "\udfff" for char in text):
        got = "" if holds_secrets(path) else f", got {quoted(text)}"
        raise ConfigError(file, path, f"control characters are not taken{got}")
    return text


def _mapping(node: yaml.MappingNode, file: str, path: str) -> dict[str, object]:
    result: dict[str, object] = {}
    for key_node, value in node.value:
        if not isinstance(key_node, yaml.ScalarNode):
            raise ConfigError(file, path, "a key is text, not a list or a mapping")
        key = str(key_node.value)
        if not _KEY.fullmatch(key):
            said = "" if holds_secrets(path) else f": {quoted(key)}"
            reason = f"not a key{said} (write letters, digits, - and _)"
            raise ConfigError(file, path, reason)
        place = _join(path, key)
        if key in result:
            raise ConfigError(file, place, f"given twice (line {key_node.start_mark.line + 1})")
        result[key] = _plain(value, file, place)
    return result


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


# From these to structs.


def convert(tree: object, kind: type[_T], file: str, words: Words, path: str = "") -> _T:
    """`tree`, which stands at `path` of `file`, as a value of the type `kind`.

    Raises:
        ConfigError: it is none.
    """
    tree = _read_words(tree, file, words, path)
    try:
        return msgspec.convert(tree, kind, strict=False, dec_hook=_exact)
    except msgspec.ValidationError as error:
        where, reason = _explain(str(error), tree, kind)
        full = f"{path}{where}" if path else where.removeprefix(".")
        raise ConfigError(file, full, reason) from None


def _read_words(node: object, file: str, words: Words, path: str) -> object:
    """`node` with the text of every one of `words` read."""
    if isinstance(node, list):
        items = enumerate(cast("list[object]", node))
        return [_read_words(item, file, words, f"{path}[{index}]") for index, item in items]
    if not isinstance(node, dict):
        return node
    result: dict[str, object] = {}
    for key, value in cast("dict[str, object]", node).items():
        place = _join(path, key)
        if key in words and isinstance(value, str):
            try:
                result[key] = words[key](value)
            except ValueError as error:
                raise ConfigError(file, place, str(error)) from None
        else:
            result[key] = _read_words(value, file, words, place)
    return result


def _exact(kind: type, value: object) -> object:
    """Let through what is already read."""
    if isinstance(value, kind):
        return value
    raise ValueError(f"expected one value, got {_shown(value)}")


def _explain(message: str, tree: object, kind: object) -> tuple[str, str]:
    """Where and why `tree` is no `kind`, from the `message` that msgspec has for it."""
    head, found, tail = message.rpartition(" - at `$")
    if not found:
        head, tail = message, ""
    info, node, path = inspect.type_info(kind), tree, ""
    for text, key, index in re.findall(r"(\.(\w+)|\[(\d+)\])", tail):
        info, node = _into(info, node, key or index)
        path += text
    if head.startswith("Object contains unknown field"):
        key = head.split("`")[1]
        return f"{path}.{key}", f"unknown key{_meant(key, _member(info, node))}"
    if head.startswith("Object missing required field"):
        return f"{path}.{head.split('`')[1]}", "missing"
    if head.startswith(("Expected", "Invalid", "Integer")):
        return path, f"expected {_expected(info)}, got {_shown(node)}"
    return path, head


def _into(info: inspect.Type, node: object, key: str) -> tuple[inspect.Type, object]:
    """The type and the value of `key`, or of an index, in a `node` of type `info`."""
    match _member(info, node), node:
        case inspect.StructType(fields=fields), dict():
            types = {field.encode_name: field.type for field in fields}
            return types[key], cast("dict[str, object]", node)[key]
        case inspect.UnionType(types=members), dict():
            # It has no member's tag, so the tag is what is wrong.
            tags = tuple(str(one.tag) for one in members if isinstance(one, inspect.StructType))
            return inspect.LiteralType(tags), cast("dict[str, object]", node)[key]
        case inspect.VarTupleType(item_type=item), list():
            return item, cast("list[object]", node)[int(key)]
        case _:
            return inspect.AnyType(), None


def _member(info: inspect.Type, node: object) -> inspect.Type:
    """`info` without its notes; of a union of structs the one that has the tag of `node`."""
    if isinstance(info, inspect.Metadata):
        info = info.type
    if not isinstance(info, inspect.UnionType) or not isinstance(node, dict):
        return info
    keys = cast("dict[str, object]", node)
    for one in info.types:
        if isinstance(one, inspect.StructType) and one.tag == keys.get(str(one.tag_field)):
            return one
    return info


def _meant(key: str, info: inspect.Type) -> str:
    """A hint at the key of `info` that `key` is a slip of, if there is one."""
    if not isinstance(info, inspect.StructType):
        return ""
    known = [field.encode_name for field in info.fields]
    if info.tag_field is not None:
        known.append(info.tag_field)
    close = difflib.get_close_matches(key, known, n=1)
    return f" (did you mean {close[0]}?)" if close else ""


def _expected(info: inspect.Type) -> str:
    """What `info` asks for, in words."""
    match info:
        case inspect.Metadata(extra_json_schema={"description": str(words)}):
            return words
        case inspect.LiteralType(values=values):
            *others, last = map(str, values)
            return f"{', '.join(others)} or {last}"
        case inspect.UnionType(
            types=((inspect.Metadata() | inspect.LiteralType()) as one, inspect.NoneType())
        ):
            return _expected(one)
        case inspect.BoolType():
            return "true or false"
        case inspect.StrType():
            return "text"
        case _:
            return "a mapping"


def _shown(value: object) -> str:
    """`value` on one line, short."""
    if isinstance(value, dict | list):
        count = len(cast("list[object]", value))
        return f"{'a mapping' if isinstance(value, dict) else 'a list'} of {count}"
    return quoted(value) if isinstance(value, str) and value else str(value) or "nothing"
