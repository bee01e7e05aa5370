"""The shape of a type: what the decoder, the JSON schema and the reference page walk over."""

import inspect
import types
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Literal, TypeGuard, Union, cast, get_args, get_origin

import msgspec

from packager.config.scalars import (
    BOOL,
    FieldNote,
    FromProgram,
    ListRule,
    MapRule,
    Scalar,
    choice,
)


@dataclass(frozen=True, slots=True)
class ListShape:
    """A list of items of one shape."""

    item: "Shape"
    rule: ListRule


@dataclass(frozen=True, slots=True)
class MapShape:
    """A mapping of names to values of one shape."""

    value: "Shape"
    rule: MapRule


@dataclass(frozen=True, slots=True)
class FieldShape:
    """One key of a mapping."""

    name: str
    """Of the attribute."""
    key: str
    """In YAML."""
    shape: "Shape"
    required: bool
    optional: bool
    """Whether None is a value: `null` in YAML."""
    default: object
    """None where it is required."""
    note: FieldNote


@dataclass(frozen=True, slots=True)
class StructShape:
    """A mapping with known keys."""

    kind: type[msgspec.Struct]
    fields: Mapping[str, FieldShape]
    """By their keys."""
    given: tuple[str, ...]
    """Attributes that the program sets."""


@dataclass(frozen=True, slots=True)
class TaggedShape:
    """One of several mappings: the value of the key `tag` names which."""

    tag: str
    members: Mapping[str, StructShape]


Shape = Scalar | ListShape | MapShape | StructShape | TaggedShape


@cache
def struct_shape(kind: type[msgspec.Struct]) -> StructShape:
    """The shape of a struct."""
    fields: dict[str, FieldShape] = {}
    given: list[str] = []
    own = inspect.get_annotations(kind)
    # What a kind adds is of more interest than what all kinds have.
    for info in sorted(msgspec.structs.fields(kind), key=lambda one: one.name not in own):
        notes = _metadata(info.type)
        if any(isinstance(note, FromProgram) for note in notes):
            given.append(info.name)
            continue
        note = next((one for one in notes if isinstance(one, FieldNote)), FieldNote())
        fields[info.encode_name] = FieldShape(
            name=info.name,
            key=info.encode_name,
            shape=shape_of(info.type),
            required=info.required,
            optional=type(None) in _arms(info.type),
            default=_default(info),
            note=note,
        )
    return StructShape(kind, fields, tuple(given))


def shape_of(annotation: object) -> Shape:
    """The shape of a field with this annotation.

    Raises:
        TypeError: no value in YAML can have this type.
    """
    notes: tuple[object, ...] = _metadata(annotation)
    bare: object = _bare(annotation)
    for note in notes:
        if isinstance(note, Scalar):
            return note
    arms = [arm for arm in _arms(bare) if arm is not type(None)]
    if len(arms) == 1 and arms[0] is not bare:
        return shape_of(arms[0])
    if len(arms) > 1:
        return _tagged(arms)
    if bare is bool:
        return BOOL
    if _is_struct(bare):
        return struct_shape(bare)
    return _generic(bare, notes)


def _is_struct(bare: object) -> TypeGuard[type[msgspec.Struct]]:
    return isinstance(bare, type) and issubclass(bare, msgspec.Struct)


def _generic(bare: object, notes: tuple[object, ...]) -> Shape:
    """The shape of a literal, a list or a mapping."""
    origin, arguments = get_origin(bare), get_args(bare)
    if origin is Literal:
        return choice(arguments)
    for note in notes:
        if isinstance(note, ListRule):
            return ListShape(shape_of(arguments[0]), note)
        if isinstance(note, MapRule):
            return MapShape(shape_of(arguments[1]), note)
    raise TypeError(f"no shape for {bare}")


def tagged_shape(annotation: object) -> TaggedShape:
    """The shape of a union of structs."""
    return _tagged(_arms(annotation))


def _tagged(arms: list[object]) -> TaggedShape:
    kinds = [cast("type[msgspec.Struct]", arm) for arm in arms]
    configs = [kind.__struct_config__ for kind in kinds]
    members = {
        str(config.tag): struct_shape(kind) for config, kind in zip(configs, kinds, strict=True)
    }
    return TaggedShape(str(configs[0].tag_field), members)


def _bare(annotation: object) -> object:
    if get_origin(annotation) is Annotated:
        return cast("object", get_args(annotation)[0])
    return annotation


def _metadata(annotation: object) -> tuple[object, ...]:
    """What a type is annotated with, without what its arms are."""
    return get_args(annotation)[1:] if get_origin(annotation) is Annotated else ()


def _arms(annotation: object) -> list[object]:
    bare = _bare(annotation)
    if get_origin(bare) in (Union, types.UnionType):
        return list(get_args(bare))
    return [bare]


def _default(info: msgspec.structs.FieldInfo) -> object:
    if info.default_factory is not msgspec.NODEFAULT:
        return cast("object", info.default_factory())
    return None if info.default is msgspec.NODEFAULT else cast("object", info.default)
