"""The JSON schema (draft 2020-12) of a configuration, a ladder or a device.

Editors complete keys by it. Rules that span several fields are mostly left to `ringside check`.
"""

from collections.abc import Callable, Mapping

import msgspec

from packager.config.decoding.decoder import example_of
from packager.config.decoding.shapes import (
    FieldShape,
    ListShape,
    MapShape,
    Shape,
    StructShape,
    TaggedShape,
    struct_shape,
    tagged_shape,
)
from packager.config.devices import Device
from packager.config.export.docstrings import attribute_sentences, class_sentence
from packager.config.ladder import Ladder
from packager.config.scalars import Scalar
from packager.config.schema.channel import ChannelEntry
from packager.config.schema.service import ServiceConfig
from packager.config.sources import SrtSource
from packager.track import TRACK_ID

Json = Mapping[str, object]

_DIALECT = "https://json-schema.org/draft/2020-12/schema"

_RULES: Mapping[type[msgspec.Struct], Json] = {
    ChannelEntry: {"oneOf": [{"required": ["source"]}, {"required": ["sources"]}]},
    SrtSource: {"oneOf": [{"required": ["port"]}, {"required": ["url"]}]},
}
"""Rules of several fields that an editor can show."""


def config_schema() -> Json:
    """The schema of a configuration file."""
    return _document(
        "Ringside configuration", lambda schemas: schemas.of(struct_shape(ServiceConfig))
    )


def ladder_schema() -> Json:
    """The schema of a ladder file."""
    return _document("Ringside ladder", lambda schemas: schemas.of(tagged_shape(Ladder)))


def device_schema() -> Json:
    """The schema of a device file."""
    return _document("Ringside device", lambda schemas: schemas.of(struct_shape(Device)))


def _document(title: str, root: "Callable[[_Schemas], Json]") -> Json:
    schemas = _Schemas()
    schema = root(schemas)
    return {"$schema": _DIALECT, "title": title, **schema, "$defs": schemas.definitions}


class _Schemas:
    """The schemas of shapes; those of structs are definitions that others refer to."""

    def __init__(self) -> None:
        self.definitions: dict[str, object] = {}

    def of(self, shape: Shape) -> Json:
        match shape:
            case Scalar():
                return dict(shape.json)
            case ListShape(item, rule):
                items = self.of(item)
                array: Json = {
                    "type": "array",
                    "items": items,
                    "minItems": rule.least,
                    "maxItems": rule.most,
                }
                return {"anyOf": [items, array]} if rule.lone else array
            case MapShape(value, rule):
                return {
                    "type": "object",
                    "propertyNames": {"pattern": f"^{TRACK_ID.pattern}$"},
                    "additionalProperties": self.of(value),
                    "minProperties": rule.least,
                    "maxProperties": rule.most,
                }
            case TaggedShape(tag, members):
                return {"oneOf": [self._reference(one, tag, name) for name, one in members.items()]}
            case StructShape():
                return self._reference(shape)

    def _reference(self, shape: StructShape, tag: str = "", value: str = "") -> Json:
        name = shape.kind.__name__
        if name not in self.definitions:
            self.definitions[name] = {}  # the place in the order, before those of its fields
            self.definitions[name] = self._struct(shape, tag, value)
        return {"$ref": f"#/$defs/{name}"}

    def _struct(self, shape: StructShape, tag: str, value: str) -> Json:
        sentences = attribute_sentences(shape.kind)
        properties: dict[str, object] = {tag: {"const": value}} if tag else {}
        for key, field in shape.fields.items():
            properties[key] = self._field(field, sentences.get(field.name, ""))
        required = [key for key, field in shape.fields.items() if field.required]
        schema: dict[str, object] = {
            "description": class_sentence(shape.kind),
            "type": "object",
            "properties": properties,
            "required": [tag, *required] if tag else required,
            "additionalProperties": False,
        }
        return {**schema, **_RULES.get(shape.kind, {})}

    def _field(self, field: FieldShape, sentence: str) -> Json:
        schema: dict[str, object] = {**self.of(field.shape)}
        if field.optional:
            alternatives: list[object] = [schema, {"type": "null"}]
            schema = {"anyOf": alternatives}
        if sentence:
            schema["description"] = sentence
        if isinstance(field.shape, Scalar):
            example = example_of(field)
            is_integer = field.shape.json.get("type") == "integer"
            schema["examples"] = [int(example) if is_integer else example]
        return schema
