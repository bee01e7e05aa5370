r"""Records as lines: the format of the journal.

A line is `{crc32 of the JSON, 8 hexadecimal digits} {JSON}\n`. An incomplete line at the end of the
bytes is a torn write. A reader waits for the rest, and the next writer cuts it off.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from hashlib import blake2b
from zlib import crc32

import msgspec

from packager.errors import JournalError
from packager.timeline.records import EdgeSet, JournalHeader, Record

VERSION = 3
"""The version that is written; all versions from 1 on are read. 2 adds bundles, 3 losses."""
MAX_LINE = 64 * 1024
"""Maximum bytes of a line; a longer one is damage."""
TAIL = 128
"""Bytes before a place in a journal that identify the place."""


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
    """The line of `record`, with its end."""
    body = _encoder.encode(record)
    return b"%08x %b\n" % (crc32(body), body)


def decode_line(line: bytes) -> Record | None:
    """The record of a line without its end; None if the line is damaged."""
    checksum, _, body = line.partition(b" ")
    if len(line) > MAX_LINE or checksum != b"%08x" % crc32(body):
        return None
    try:
        return _decoder.decode(body)
    except (msgspec.MsgspecError, ValueError, ZeroDivisionError, RecursionError):
        return None


def place_of(tail: bytes, offset: int) -> str:
    """The identity of a place in a journal, made of the `TAIL` bytes before it and its offset."""
    return blake2b(tail + offset.to_bytes(8), digest_size=8).hexdigest()


def end_of_rewrite(data: bytes, place: str) -> int | None:
    """The offset in a compacted journal that corresponds to `place` in the journal before.

    None if `data` is not a compaction up to that place.
    """
    at = data.find(b' ["listed",')
    start, end = data.rfind(b"\n", 0, at) + 1, data.find(b"\n", at)
    if min(at, end) < 0:
        return None
    record = decode_line(data[start:end])
    return end + 1 if isinstance(record, EdgeSet) and record.of == place else None


@dataclass(slots=True)
class JournalReader:
    """Bytes in, records out; keeps an incomplete line for the next call.

    `offset` is the start of the next record in the journal: all bytes before it are valid. After a
    complete line that is not a record the reader is `damaged` and returns no more records.
    """

    offset: int = 0
    damaged: bool = False
    version: int = VERSION
    """Version of the journal, once its header is read."""
    _rest: bytes = b""

    def feed(self, data: bytes) -> Iterator[Record]:
        """The records that `data` completes.

        Raises:
            JournalError: the version of the journal is unknown.
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
            if isinstance(record, JournalHeader):
                if not 1 <= record.version <= VERSION:
                    msg = f"journal version {record.version}, this program reads up to {VERSION}"
                    raise JournalError(msg)
                self.version = record.version
            self.offset += len(line) + 1
            yield record
        if len(self._rest) > MAX_LINE:
            self.damaged = True
