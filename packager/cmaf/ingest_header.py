"""CMAF headers that external encoders push, normalised for the fragments that Ringside writes.

Ringside rewrites fragments with track id 1 and explicit times (see `packager.cmaf.samples`). The
offset of an edit list is added to these times, and the edit list is removed from the header.
"""

from dataclasses import dataclass
from struct import pack, pack_into, unpack_from

from packager.cmaf.boxes import Box, box, children, find
from packager.cmaf.init_section import InitFacts, read_init
from packager.cmaf.splitter import InitSection
from packager.errors import MediaError
from packager.layout import init_version
from packager.timing.ticks import rescale

_FTYP = box(b"ftyp", b"iso6", pack(">I", 0), b"iso6cmfc")
_NORMAL_RATE = 0x00010000
_MAX_EDITS = 16


@dataclass(frozen=True, slots=True)
class IngestHeader:
    """The CMAF header of a track (ISO/IEC 23000-19 section 7.3.1)."""

    data: bytes
    facts: InitFacts
    version: str
    """Names `data`."""
    edit: int
    """Ticks that the edit list adds to the fragments' times."""

    def unlike(self, other: "IngestHeader") -> str:
        """The difference that keeps fragments of both headers from being mixed; empty if none."""
        mine, theirs = self.facts, other.facts
        values = {
            "kind": (mine.kind, theirs.kind),
            "timescale": (mine.timescale, theirs.timescale),
            "codec": (mine.codec.string, theirs.codec.string),
            "size": (_size(mine), _size(theirs)),
            "sample rate": (mine.sample_rate, theirs.sample_rate),
            "channels": (mine.channels, theirs.channels),
            "language": (mine.language, theirs.language),
            "sample aspect": (mine.sample_aspect, theirs.sample_aspect),
        }
        for name, (one, two) in values.items():
            if one != two:
                return f"{name} {one}, not {two}"
        return "" if mine.codec == theirs.codec else "different parameter sets"


def _size(facts: InitFacts) -> str:
    return f"{facts.width}x{facts.height}"


def read_header(section: InitSection) -> IngestHeader:
    """The header in an init section.

    Raises:
        MediaError: it is not the `moov` of one track.
        CodecError: the codec cannot be packaged.
    """
    data = section.data
    facts = read_init(data)
    moov = find(data, 0, len(data), b"moov")
    inside = list(children(data, moov.body, moov.end))
    tracks = [child for child in inside if child.type == b"trak"]
    if len(tracks) != 1:
        raise MediaError(f"{len(tracks)} tracks; a CMAF file has one", box="moov")
    parts = {child.type: child for child in inside}
    if b"mvhd" not in parts:
        raise MediaError("missing", box="mvhd")
    edit = _edit(data, parts[b"mvhd"], tracks[0], facts.timescale)
    kept = box(
        b"moov",
        _without_times(data, parts[b"mvhd"]),
        _track(data, tracks[0]),
        box(b"mvex", _trex(data, parts[b"mvex"])),
    )
    first = find(data, 0, len(data), b"ftyp") if data[4:8] == b"ftyp" else None
    made = (data[first.start : first.end] if first else _FTYP) + kept
    return IngestHeader(made, facts, init_version(made), edit)


def _track(data: bytes, track: Box) -> bytes:
    inside = {child.type: child for child in children(data, track.body, track.end)}
    if b"tkhd" not in inside:
        raise MediaError("missing", box="tkhd")
    tkhd = bytearray(_without_times(data, inside[b"tkhd"]))
    at = inside[b"tkhd"].body - inside[b"tkhd"].start
    pack_into(">I", tkhd, at + (20 if tkhd[at] == 1 else 12), 1)
    mdia = inside[b"mdia"]
    parts = [
        _without_times(data, child) if child.type == b"mdhd" else data[child.start : child.end]
        for child in children(data, mdia.body, mdia.end)
    ]
    return box(b"trak", bytes(tkhd), box(b"mdia", *parts))


def _without_times(data: bytes, child: Box) -> bytes:
    """`mvhd`, `tkhd` or `mdhd` without creation times, in which encoders differ."""
    made = bytearray(data[child.start : child.end])
    at = child.body - child.start
    size = 16 if at < len(made) and made[at] == 1 else 8
    if len(made) < at + 4 + size + 12:
        raise MediaError("too short", offset=child.start, box=child.type.decode("latin-1"))
    made[at + 4 : at + 4 + size] = bytes(size)
    return bytes(made)


def _trex(data: bytes, mvex: Box) -> bytes:
    trex = find(data, mvex.body, mvex.end, b"trex")
    made = bytearray(data[trex.start : trex.end])
    pack_into(">I", made, trex.body - trex.start + 4, 1)
    return bytes(made)


def _edit(data: bytes, mvhd: Box, track: Box, timescale: int) -> int:
    """Ticks that the `edts` of a track adds to its times (ISO/IEC 14496-12 section 8.6.6)."""
    edts = next((c for c in children(data, track.body, track.end) if c.type == b"edts"), None)
    if edts is None:
        return 0
    elst = find(data, edts.body, edts.end, b"elst")
    wide = data[elst.body] == 1
    form = ">QqI" if wide else ">IiI"
    size = 20 if wide else 12
    count = int.from_bytes(data[elst.body + 4 : elst.body + 8])
    if not 0 < count <= _MAX_EDITS or elst.end < elst.body + 8 + count * size:
        raise MediaError("edit list cut short", offset=elst.start, box="elst")
    (movie,) = unpack_from(">I", data, mvhd.body + (20 if data[mvhd.body] == 1 else 12))
    edits = [unpack_from(form, data, elst.body + 8 + at * size) for at in range(count)]
    *empty, (_, start, rate) = edits
    if start < 0 or rate != _NORMAL_RATE or any(time != -1 for _, time, _ in empty) or not movie:
        raise MediaError("unsupported edit list", offset=elst.start, box="elst")
    return rescale(sum(length for length, _, _ in empty), movie, timescale) - int(start)
