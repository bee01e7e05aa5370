"""Annotations of fields: how a text is read, what errors call it, how it is documented."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from packager.config.quantities import format_bytes, parse_bit_rate, parse_size


@dataclass(frozen=True, slots=True)
class Scalar:
    """How one text is read as a value."""

    name: str
    """In the reference page, such as `duration`."""
    expected: str
    """In errors, after `expected`."""
    example: str
    read: Callable[[str], object]
    """Raises ValueError for a text that is no such value."""
    stand_in: object
    """A valid value: it takes the place of a wrong one, so that all other checks can run."""
    json: Mapping[str, object] = field(default_factory=dict[str, object], hash=False)
    """JSON schema of the value."""
    unit: str = ""
    remedy: str = ""
    """Replaces `use for example {example}` in errors."""
    show: Callable[[object], str] = str
    """A value as it is written in YAML."""
    explains: bool = False
    """Whether the errors of `read` are made for users: reason, colon, remedy."""
    secret: bool = False
    """Whether no error may quote the text."""


@dataclass(frozen=True, slots=True)
class ListRule:
    """How many items a list has."""

    least: int
    most: int
    expected: str
    lone: bool = False
    """Whether one item may stand without the list around it."""


@dataclass(frozen=True, slots=True)
class MapRule:
    """How many entries a mapping has; `keys` is the thing that a key names, such as `a channel`."""

    least: int
    most: int
    expected: str
    keys: str
    key_name: str
    """Placeholder of a key in the reference page."""


@dataclass(frozen=True, slots=True)
class FieldNote:
    """What the reference page shows for one field, in place of what its type has."""

    example: str = ""
    default: str = ""
    unit: str = ""


@dataclass(frozen=True, slots=True)
class FromProgram:
    """Marks a field that no file can set."""


def integer(
    least: int, most: int, expected: str, example: str, *, unit: str = "", even: bool = False
) -> Scalar:
    """Whole numbers from `least` to `most`."""

    def read(text: str) -> int:
        number = _whole(text)
        if not least <= number <= most or (even and number % 2):
            raise ValueError
        return number

    json: dict[str, object] = {"type": "integer", "minimum": least, "maximum": most}
    if even:
        json["multipleOf"] = 2
    return Scalar(without_article(expected), expected, example, read, least, json, unit)


def _whole(text: str) -> int:
    """A number in one of YAML's notations: `5000`, `5e3`, `5000.0`; -1 for any other text."""
    if re.fullmatch(r"[0-9]{1,15}", text):
        return int(text)
    if re.fullmatch(r"[0-9]{1,15}(\.[0-9]{0,15})?(e\+?[0-9])?", text, re.IGNORECASE):
        number = Decimal(text)
        return int(number) if number == number.to_integral_value() else -1
    return -1


def text(
    pattern: str, expected: str, example: str, stand_in: str = "", *, name: str = "text"
) -> Scalar:
    """Texts that match `pattern` as a whole."""
    compiled = re.compile(pattern)

    def read(value: str) -> str:
        if compiled.fullmatch(value) is None:
            raise ValueError
        return value

    json = {"type": ["string", "number"], "pattern": f"^(?:{pattern})$"}
    return Scalar(name, expected, example, read, stand_in or example, json)


def bit_rate(least: int, most: int, expected: str, example: str) -> Scalar:
    """Bit rates from `least` to `most` bit/s."""

    def read(value: str) -> int:
        bits = parse_bit_rate(value)
        if not least <= bits <= most:
            raise ValueError
        return bits

    json = {
        "type": ["string", "integer"],
        "pattern": r"^[0-9]{1,10}(\.[0-9]{1,9})?[kMG]?$",
        "minimum": least,
        "maximum": most,
    }
    remedy = f"write for example {example}; k is 1000 bit/s, M is 1000k"
    return Scalar(
        without_article(expected), expected, example, read, least, json, "bit/s", remedy, _show_bits
    )


def size(least: int, most: int, expected: str, example: str) -> Scalar:
    """Sizes from `least` to `most` bytes."""

    def read(value: str) -> int:
        count = parse_size(value)
        if not least <= count <= most:
            raise ValueError
        return count

    json = {"type": "string", "pattern": r"^[0-9]{1,10}(\.[0-9]{1,9})?[MGT]$"}
    remedy = "write 500M, 20G or 1.5T"
    return Scalar(
        without_article(expected),
        expected,
        example,
        read,
        least,
        json,
        "bytes",
        remedy,
        _show_bytes,
    )


def without_article(expected: str) -> str:
    """`expected` as the name of a type: `a port` is `port`."""
    return expected.partition(" ")[2]


def _show_bits(value: object) -> str:
    bits = int(str(value))
    for scale, suffix in ((10**6, "M"), (1000, "k")):
        if bits and bits % scale == 0:
            return f"{bits // scale}{suffix}"
    return str(bits)


def _show_bytes(value: object) -> str:
    return format_bytes(int(str(value)))


def _show_bool(value: object) -> str:
    return "true" if value else "false"


def _read_bool(value: str) -> bool:
    return {"true": True, "1": True, "false": False, "0": False}[value.lower()]


BOOL = Scalar(
    "true or false",
    "true or false",
    "true",
    _read_bool,
    stand_in=False,
    json={"type": "boolean"},
    show=_show_bool,
)
"""How a `bool` is read."""


def choice(values: tuple[object, ...]) -> Scalar:
    """How a `Literal` of these values is read."""
    known = {str(value): value for value in values}
    *others, last = known
    words = f"{', '.join(others)} or {last}" if others else last

    def read(value: str) -> object:
        return known[value]

    name = ", ".join(f"`{value}`" for value in known)
    return Scalar(
        name, words, last, read, values[0], {"enum": list(values)}, remedy="use one of these"
    )
