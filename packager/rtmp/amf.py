"""AMF0, the values of RTMP's commands (Adobe's Action Message Format 0)."""

from enum import IntEnum
from struct import Struct

from packager.rtmp.error import RtmpError

Value = float | bool | str | None | list["Value"] | dict[str, "Value"]
"""A value; other types of AMF0 become the nearest of these, or None."""


class _Marker(IntEnum):
    """The type markers of values (AMF 0, section 2.1)."""

    NUMBER = 0
    BOOLEAN = 1
    STRING = 2
    OBJECT = 3
    NULL = 5
    UNDEFINED = 6
    REFERENCE = 7
    ECMA_ARRAY = 8
    OBJECT_END = 9
    STRICT_ARRAY = 10
    DATE = 11
    LONG_STRING = 12
    UNSUPPORTED = 13
    XML = 15
    TYPED_OBJECT = 16


_MAX_DEPTH = 16
_MAX_VALUES = 4096
"""Values in one message."""
_DOUBLE = Struct(">d")
_SHORT = Struct(">H")
_LONG = Struct(">I")
_MAX_SHORT = 0xFFFF


def read_values(data: bytes) -> list[Value]:
    """All values of a message.

    Raises:
        RtmpError: `data` is not AMF0, or has more values than any command or metadata.
    """
    reader, values = _Reader(data), list[Value]()
    while reader.at < len(data):
        values.append(reader.value(0))
    return values


def write_values(*values: Value) -> bytes:
    """The encoded values; a dict becomes an object."""
    return b"".join(map(_written, values))


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._left = _MAX_VALUES
        self.at = 0

    def value(self, depth: int) -> Value:
        self._left -= 1
        if depth > _MAX_DEPTH or self._left < 0:
            raise RtmpError("too many or too deeply nested AMF values")
        (marker,) = self._take(1)
        match marker:
            case _Marker.NUMBER:
                return self._double()
            case _Marker.BOOLEAN:
                return self._take(1) != b"\0"
            case _Marker.STRING:
                return self._text(_SHORT)
            case _Marker.LONG_STRING | _Marker.XML:
                return self._text(_LONG)
            case _Marker.NULL | _Marker.UNDEFINED | _Marker.UNSUPPORTED:
                return None
            case _:
                return self._compound(marker, depth + 1)

    def _compound(self, marker: int, depth: int) -> Value:
        match marker:
            case _Marker.OBJECT:
                return self._properties(depth)
            case _Marker.ECMA_ARRAY:
                self._take(_LONG.size)  # a count, which some encoders get wrong
                return self._properties(depth)
            case _Marker.STRICT_ARRAY:
                return [self.value(depth) for _ in range(self._number(_LONG))]
            case _Marker.TYPED_OBJECT:
                self._text(_SHORT)
                return self._properties(depth)
            case _Marker.DATE:
                self._take(_DOUBLE.size + _SHORT.size)
                return None
            case _Marker.REFERENCE:
                self._take(_SHORT.size)
                return None
            case _:
                raise RtmpError(f"unknown AMF0 type marker {marker}")

    def _properties(self, depth: int) -> dict[str, Value]:
        found: dict[str, Value] = {}
        while True:
            name = self._text(_SHORT)
            if not name and self._data[self.at : self.at + 1] == b"\x09":
                self.at += 1
                return found
            found[name] = self.value(depth)

    def _text(self, size: Struct) -> str:
        return self._take(self._number(size)).decode("utf-8", "replace")

    def _number(self, size: Struct) -> int:
        return int(size.unpack(self._take(size.size))[0])

    def _double(self) -> float:
        return float(_DOUBLE.unpack(self._take(_DOUBLE.size))[0])

    def _take(self, count: int) -> bytes:
        begin, self.at = self.at, self.at + count
        if self.at > len(self._data):
            raise RtmpError("an AMF value is cut off")
        return self._data[begin : self.at]


def _written(value: Value) -> bytes:
    match value:
        case None:
            return bytes([_Marker.NULL])
        case bool():
            return bytes([_Marker.BOOLEAN, value])
        case int() | float():
            return bytes([_Marker.NUMBER]) + _DOUBLE.pack(value)
        case str():
            return _text(value)
        case list():
            return (
                bytes([_Marker.STRICT_ARRAY])
                + _LONG.pack(len(value))
                + b"".join(map(_written, value))
            )
        case dict():
            inner = b"".join(_name(key) + _written(item) for key, item in value.items())
            return bytes([_Marker.OBJECT]) + inner + b"\0\0" + bytes([_Marker.OBJECT_END])


def _text(text: str) -> bytes:
    encoded = text.encode("utf-8", "replace")
    if len(encoded) > _MAX_SHORT:
        return bytes([_Marker.LONG_STRING]) + _LONG.pack(len(encoded)) + encoded
    return bytes([_Marker.STRING]) + _SHORT.pack(len(encoded)) + encoded


def _name(text: str) -> bytes:
    encoded = text.encode("utf-8", "replace")[:_MAX_SHORT]
    return _SHORT.pack(len(encoded)) + encoded
