r"""Records as lines: the format of the journal.

A line is `{crc32 of the JSON, 8 hexadecimal digits} {JSON}\n`. What is not a whole, right line at
the end of the bytes is a torn write: it is "not yet" to a reader and cut off by the next writer.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from hashlib import blake2b
from zlib import crc32

import msgspec

from packager.errors import JournalError
from packager.records import Header, Listed, Record

VERSION = 3
"""Of what is written; all from 1 on are read. 2 has bundles, 3 has losses."""
MAX_LINE = 64 * 1024
"""Bytes; a longer line is damage, not a record."""
TAIL = 128
"""Bytes before a place in a journal that tell it from that place in another."""


def _to_json(value: object) -> object:
    if isinstance(value, Fraction):
        return str(value)
    raise NotImplementedError


def _from_json(kind: type, value: object) -> object:
    if kind is Fraction and isinstance(value, str):
        numerator, _, denominator = value.partition("/")
        return Fraction(int(numerator), int(denominator or "1"))
    raise ValueError(kind.__name__)


_encoder = msgspec.json.Encoder(enc_hook=_to_json)
_decoder: msgspec.json.Decoder[Record] = msgspec.json.Decoder(Record, dec_hook=_from_json)


def encode(record: Record) -> bytes:
    """The line of `record`."""
    body = _encoder.encode(record)
    return b"%08x %b\n" % (crc32(body), body)


def decode_line(line: bytes) -> Record | None:
    """The record of a line without its end; None if it is none."""
    checksum, _, body = line.partition(b" ")
    if len(line) > MAX_LINE or checksum != b"%08x" % crc32(body):
        return None
    try:
        return _decoder.decode(body)
    except (msgspec.MsgspecError, ValueError, ZeroDivisionError, RecursionError):
        return None


def place_of(tail: bytes, offset: int) -> str:
    """Tells a place in a journal, by the `TAIL` bytes before it, from all other places."""
    return blake2b(tail + offset.to_bytes(8), digest_size=8).hexdigest()


def end_of_rewrite(data: bytes, place: str) -> int | None:
    """Where a journal goes on that says, up to there, what another did up to `place`.

    None where `data` is no such journal.
    """
    at = data.find(b' ["listed",')
    start, end = data.rfind(b"\n", 0, at) + 1, data.find(b"\n", at)
    if min(at, end) < 0:
        return None
    record = decode_line(data[start:end])
    return end + 1 if isinstance(record, Listed) and record.of == place else None


@dataclass(slots=True)
class Reader:
    """Bytes in, records out; keeps what is not a whole line yet.

    `offset` is where, in the journal, the next record starts: everything before it is valid.
    After a whole line that is not a record the reader is `damaged` and gives no more.
    """

    offset: int = 0
    damaged: bool = False
    version: int = VERSION
    """Of the journal, once its header is read."""
    _rest: bytes = b""

    def feed(self, data: bytes) -> Iterator[Record]:
        """The records that `data` completes.

        Raises:
            JournalError: the journal is of a version that this reader does not know.
        """
        if self.damaged:
            return
        lines = (self._rest + data).split(b"\n")
        self._rest = lines.pop()
        for line in lines:
            record = decode_line(line)
            if record is None:
                self.damaged = True
                return
            if isinstance(record, Header):
                if not 1 <= record.version <= VERSION:
                    msg = f"journal version {record.version}, this program reads up to {VERSION}"
                    raise JournalError(msg)
                self.version = record.version
            self.offset += len(line) + 1
            yield record
        if len(self._rest) > MAX_LINE:
            self.damaged = True
