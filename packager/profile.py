"""Ladders: what a feed is encoded to; YAML text in, typed values out.

A ladder is read in three steps, each of which names the place of what is wrong with it:
`read_yaml` (text to mappings, lists and scalars, all scalars text), `convert` (these to a struct,
quantities by their unit) and the rules that no single field can hold.
"""

import difflib
import re
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Annotated, Literal, TypeVar, cast

import msgspec
import yaml
from msgspec import inspect

from packager.errors import ConfigError
from packager.ticks import round_half_up
from packager.track import TRACK_ID
from packager.units import (
    format_duration,
    parse_bit_rate,
    parse_duration,
    parse_frame_rate,
    quoted,
)

MAX_TEXT = 256 * 1024
"""Characters of the longest YAML text that is read."""

_MAX_DEPTH = 16

_KEY = re.compile(r"[A-Za-z0-9_-]{1,64}")

# Seconds.
_SHORTEST_SEGMENT = Fraction(1, 2)
_LONGEST_SEGMENT = Fraction(20)

# Frames a second.
_FASTEST = 240

Name = Annotated[
    str,
    msgspec.Meta(
        pattern=rf"\A{TRACK_ID.pattern}\Z",
        description="a name of at most 32 of a-z, 0-9, - and _",
    ),
]
"""A track id or a channel name."""

Pixels = Annotated[
    int,
    msgspec.Meta(
        ge=16, le=7680, multiple_of=2, description="an even number of pixels from 16 to 7680"
    ),
]
"""A width or a height: even, as 4:2:0 needs it."""

_BitRate = Annotated[
    int, msgspec.Meta(ge=8_000, le=1_000_000_000, description="a bit rate from 8k to 1G")
]

_T = TypeVar("_T")


class VideoRung(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One rendition of the ladder, encoded to H.264 by x264."""

    id: Name
    width: Pixels
    height: Pixels
    bitrate: _BitRate
    """Nominal bit/s: Smooth's address of the rendition."""
    maxrate: _BitRate = 0
    """Bit/s that the buffer is filled at; where not given, 1.2 x `bitrate` rounded up to 1000."""
    bufsize: _BitRate = 0
    """Bits of the buffer; where not given, 1.5 x `maxrate`."""
    preset: Literal["ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow"] = (
        "veryfast"
    )
    """Of x264: slower is a better picture for the same bits."""
    profile: Literal["baseline", "main", "high"] = "high"
    """Of H.264."""
    bframes: Annotated[int, msgspec.Meta(ge=0, le=4, description="a number from 0 to 4")] = 2
    """B-frames in a row, at most."""
    threads: Annotated[int, msgspec.Meta(ge=1, le=64, description="a number from 1 to 64")] = 4
    """Encoder threads of a live channel; a replay takes one."""

    def __post_init__(self) -> None:
        """Fill in the rates that follow from others."""
        if not self.maxrate:
            msgspec.structs.force_setattr(self, "maxrate", -(-self.bitrate * 12 // 10_000) * 1000)
        if not self.bufsize:
            msgspec.structs.force_setattr(self, "bufsize", self.maxrate * 3 // 2)


class AudioRung(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The audio track of the ladder, encoded to AAC-LC."""

    id: Name = "audio"
    bitrate: _BitRate = 128_000
    """Bit/s."""
    channels: Literal[1, 2] = 2
    sample_rate: Literal[44100, 48000] = 48000
    """Samples a second."""


class EncodeLadder(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    tag_field="mode",
    tag="encode",
):
    """A feed is decoded once and encoded to every rung."""

    name: str
    """Of its file, without the suffix."""
    frame_rate: Fraction
    """Frames a second of every rung."""
    segment: Fraction
    """Seconds; a whole number of frames."""
    video: Annotated[
        tuple[VideoRung, ...],
        msgspec.Meta(min_length=1, max_length=12, description="a list of 1 to 12 rungs"),
    ]
    audio: AudioRung


class PassthroughLadder(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    tag_field="mode",
    tag="passthrough",
):
    """A feed is packaged as it comes; nothing is encoded."""

    name: str
    """Of its file, without the suffix."""
    segment: Fraction
    """Seconds."""


Ladder = EncodeLadder | PassthroughLadder

Words = Mapping[str, Callable[[str], object]]
"""The keys of a YAML language whose text is read in a way of its own, wherever they stand."""

_WORDS: Words = {
    "frame_rate": parse_frame_rate,
    "segment": parse_duration,
    "bitrate": parse_bit_rate,
    "maxrate": parse_bit_rate,
    "bufsize": parse_bit_rate,
}


def parse_ladder(text: str, file: str, name: str) -> Ladder:
    """The ladder in `text`; `file` is what errors call it, `name` what it is known by.

    Raises:
        ConfigError: not a ladder.
    """
    tree = read_yaml(text, file)
    if "name" in tree:
        raise ConfigError(file, "name", "unknown key (a ladder has the name of its file)")
    tree["name"] = name
    ladder = convert(tree, cast("type[Ladder]", Ladder), file, _WORDS)
    if isinstance(ladder, EncodeLadder):
        _check_rates(ladder, file)
        _check_video(ladder, file)
    reason = segment_fault(ladder.segment, ladder)
    if reason is not None:
        raise ConfigError(file, "segment", reason)
    return ladder


def segment_fault(segment: Fraction, ladder: Ladder) -> str | None:
    """Why `ladder` cannot be cut into segments of `segment` seconds, or None where it can."""
    if not _SHORTEST_SEGMENT <= segment <= _LONGEST_SEGMENT:
        low, high = format_duration(_SHORTEST_SEGMENT), format_duration(_LONGEST_SEGMENT)
        return f"expected {low} to {high}, got {format_duration(segment)}"
    if isinstance(ladder, PassthroughLadder):
        return None
    frames = segment * ladder.frame_rate
    if frames.denominator == 1:
        return None
    whole = max(1, round_half_up(frames)) / ladder.frame_rate
    return (
        f"{format_duration(segment)} is not a whole number of frames at "
        f"{ladder.frame_rate} frames/s (the nearest that is: {format_duration(whole)})"
    )


def _check_rates(ladder: EncodeLadder, file: str) -> None:
    if not 1 <= ladder.frame_rate <= _FASTEST:
        reason = f"expected 1 to {_FASTEST} frames a second, got {ladder.frame_rate}"
        raise ConfigError(file, "frame_rate", reason)
    for index, rung in enumerate(ladder.video):
        if rung.maxrate < rung.bitrate:
            reason = f"{rung.maxrate} is less than the bitrate, {rung.bitrate}"
            raise ConfigError(file, f"video[{index}].maxrate", reason)
        if rung.profile == "baseline" and rung.bframes:
            reason = "the baseline profile has no B-frames: set it to 0"
            raise ConfigError(file, f"video[{index}].bframes", reason)


def _check_video(ladder: EncodeLadder, file: str) -> None:
    ids: dict[str, int] = {}
    bitrates: dict[int, int] = {}
    for index, rung in enumerate(ladder.video):
        if (other := ids.setdefault(rung.id, index)) != index:
            reason = f"{rung.id!r} is the id of video[{other}] too"
            raise ConfigError(file, f"video[{index}].id", reason)
        if (other := bitrates.setdefault(rung.bitrate, index)) != index:
            reason = f"{rung.bitrate} is the bitrate of video[{other}] too: Smooth needs them apart"
            raise ConfigError(file, f"video[{index}].bitrate", reason)
    if ladder.audio.id in ids:
        reason = f"{ladder.audio.id!r} is the id of video[{ids[ladder.audio.id]}] too"
        raise ConfigError(file, "audio.id", reason)


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
        raise ConfigError(file, path, f"control characters are not taken, got {quoted(text)}")
    return text


def _mapping(node: yaml.MappingNode, file: str, path: str) -> dict[str, object]:
    result: dict[str, object] = {}
    for key_node, value in node.value:
        if not isinstance(key_node, yaml.ScalarNode):
            raise ConfigError(file, path, "a key is text, not a list or a mapping")
        key = str(key_node.value)
        if not _KEY.fullmatch(key):
            reason = f"not a key: {quoted(key)} (write letters, digits, - and _)"
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
        case inspect.UnionType(types=(inspect.Metadata() as one, inspect.NoneType())):
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
