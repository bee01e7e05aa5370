"""Made-up packets of a TS and tags of an FLV."""


def _stamp(prefix: int, time: int) -> bytes:
    parts = (time >> 30, time >> 15 & 0x7FFF, time & 0x7FFF)
    first = prefix << 4 | parts[0] << 1 | 1
    rest = [(part << 1 | 1).to_bytes(2) for part in parts[1:]]
    return bytes([first]) + b"".join(rest)


def pes_packet(
    pid: int,
    stream: int,
    *,
    pts: int,
    dts: int | None = None,
    pcr: int | None = None,
    counter: int = 0,
) -> bytes:
    """A packet in which a PES packet begins; `pcr` in ticks of 90 kHz."""
    stamps = _stamp(2, pts) if dts is None else _stamp(3, pts) + _stamp(1, dts)
    flags = 0x80 if dts is None else 0xC0
    pes = b"\0\0\1" + bytes([stream, 0, 0, 0x80, flags, len(stamps)]) + stamps + b"media"
    clock = b"" if pcr is None else (pcr << 15 | 0x7E00).to_bytes(6)
    fill = 188 - 4 - 2 - len(clock) - len(pes)
    field = bytes([1 + len(clock) + fill, 0x10 if clock else 0]) + clock + b"\xff" * fill
    return bytes([0x47, 0x40 | pid >> 8, pid & 0xFF, 0x30 | counter]) + field + pes


def flv_tag(kind: int, time: int, body: bytes) -> bytes:
    """A tag with the size that follows it."""
    head = bytes([kind]) + len(body).to_bytes(3) + (time & 0xFFFFFF).to_bytes(3)
    tag = head + bytes([time >> 24, 0, 0, 0]) + body
    return tag + len(tag).to_bytes(4)


FLV_HEADER = b"FLV\1\5\0\0\0\x09\0\0\0\0"
