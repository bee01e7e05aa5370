"""The reference page of the configuration, docs/configuration.md, made from the types."""

from collections.abc import Iterator
from typing import NamedTuple

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
from packager.config.schema.service import ServiceConfig

_HEAD = """\
# Configuration

<!-- Generated from the types in packager/config by `python -m tests.house.configuration_page`. -->

Ringside reads one YAML file: `ringside run -c ringside.yaml`. `ringside check -c ringside.yaml`
reports every problem of the file, of the ladders and of the files that it names. It exits with
code 2 if there is one; the other commands refuse the file with the same report:

```
ringside.yaml:7:13: channels.demo.source.port: expected a port from 1 to 65535, got '0': use for \
example 9000
```

An editor with a YAML language server completes keys and shows their meaning. Write the schema to
a file, and name it in the first line of the configuration:

```sh
ringside schema > ringside.schema.json
ringside schema ladder > ladder.schema.json
ringside schema device > device.schema.json
```

```yaml
# yaml-language-server: $schema=ringside.schema.json
data: ./data
channels:
  demo:
    source: {type: pattern}
    ladder: demo
```

## Values

| Type | Examples | Meaning |
| --- | --- | --- |
| duration | `1.92s`, `32/15s`, `500ms`, `2m`, `12h`, `1d` | an exact number of seconds |
| size | `500M`, `20G`, `1.5T` | bytes; M is 10^6 |
| bit rate | `800k`, `3.5M`, `128000` | bit/s; k is 10^3 |
| frame rate | `25`, `29.97`, `30000/1001` | frames a second; `29.97` means 30000/1001 |
| time | `2026-01-01T18:00:00Z` | ISO 8601 with `Z` or an offset such as `+01:00` |
| secret | `$NAME`, or the text itself | 16 to 256 printable ASCII characters; `$NAME` is the \
value of an environment variable |
| path | `./data` | starts from the folder of the file that names it |
| name | `720p` | at most 32 of a-z, 0-9, `-` and `_`; begins with a-z or 0-9 |

Names of channels, events, devices and CDNs follow the rule for names. Unknown keys, keys that
are given twice, aliases and tags are refused.
"""


class _Section(NamedTuple):
    """One mapping of a file."""

    path: str
    shape: StructShape
    tag: str = ""
    """Key that selects it among several kinds of mappings."""
    value: str = ""
    """Of that key."""


def reference() -> str:
    """The page, in Markdown."""
    blocks = [
        _HEAD,
        *_file("The configuration file", struct_shape(ServiceConfig), ""),
        *_file("A ladder file", tagged_shape(Ladder), ""),
        *_file("A device file", struct_shape(Device), ""),
    ]
    return "\n".join(blocks)


def _file(title: str, shape: Shape, path: str) -> Iterator[str]:
    yield f"## {title}\n"
    for section in _sections(shape, path):
        if section.path or section.value:
            yield f"### {_title(section)}\n"
        yield f"{class_sentence(section.shape.kind)}\n"
        yield "\n".join(_table(section)) + "\n"


def _title(section: _Section) -> str:
    kind = f"`{section.tag}: {section.value}`" if section.tag else ""
    path = f"`{section.path}`" if section.path else ""
    return " with ".join(part for part in (path, kind) if part)


def _sections(shape: Shape, path: str) -> Iterator[_Section]:
    """The mapping of this shape, and those below it, from top to bottom."""
    match shape:
        case StructShape():
            yield _Section(path, shape)
            yield from _below(shape, path)
        case TaggedShape(tag, members):
            for value, member in members.items():
                yield _Section(path, member, tag, value)
                yield from _below(member, path)
        case ListShape(item, _):
            yield from _sections(item, f"{path}[]")
        case MapShape(value, rule):
            yield from _sections(value, f"{path}.{rule.key_name}")
        case Scalar():
            return


def _below(shape: StructShape, path: str) -> Iterator[_Section]:
    for key, field in shape.fields.items():
        # `sources` is a list of what `source` is.
        if key != "sources":
            yield from _sections(field.shape, f"{path}.{key}" if path else key)


def _table(section: _Section) -> Iterator[str]:
    sentences = attribute_sentences(section.shape.kind)
    yield "| Key | Type | Unit | Default | Example | Meaning |"
    yield "| --- | --- | --- | --- | --- | --- |"
    if section.tag:
        tag, value = f"`{section.tag}`", f"`{section.value}`"
        yield f"| {tag} | {value} |  | required | {value} | Selects this table of keys. |"
    for key, field in section.shape.fields.items():
        cells = (
            f"`{key}`",
            _type_name(field.shape),
            _unit(field),
            _default(field),
            f"`{example_of(field)}`",
            sentences[field.name],
        )
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _type_name(shape: Shape) -> str:
    match shape:
        case Scalar():
            return shape.name
        case ListShape(item, rule):
            one = _type_name(item)
            return f"{one}, or a list" if rule.lone else f"list of {_plural(item, one)}"
        case MapShape(value, _):
            return f"names to {_plural(value, _type_name(value))}"
        case StructShape() | TaggedShape():
            return "mapping"


def _plural(shape: Shape, name: str) -> str:
    return f"{name}s" if isinstance(shape, StructShape | TaggedShape) else name


def _unit(field: FieldShape) -> str:
    if field.note.unit:
        return field.note.unit
    return field.shape.unit if isinstance(field.shape, Scalar) else ""


def _default(field: FieldShape) -> str:
    if field.required:
        return "required"
    if field.note.default:
        return field.note.default
    if not isinstance(field.shape, Scalar):
        return "all defaults" if isinstance(field.shape, StructShape) else "none"
    if field.default is None and "never" not in field.shape.name:
        return "none"
    return f"`{field.shape.show(field.default)}`"
