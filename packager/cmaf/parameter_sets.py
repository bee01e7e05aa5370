"""Parameter sets in the samples of a feed that is passed through.

They show a change of the feed: a player with the old init section cannot decode the samples after
it. Samples of `hvc1` have none (ISO/IEC 14496-15 section 8.4.3): the init section has them.
"""

from collections.abc import Iterator, Sequence
from struct import pack_into

from packager.cmaf.boxes import HEADER, Box, Buffer, box, children, find
from packager.cmaf.codecs import Codec
from packager.cmaf.init_section import VISUAL_ENTRY
from packager.cmaf.samples import SampleRun
from packager.container.hevc import HEVC_FIXED, PARAMETER_SETS, hevc_configuration, unit_type
from packager.errors import MediaError

_LENGTH = 4
"""Bytes of a NAL unit's length, as ffmpeg writes it (ISO/IEC 14496-15 lengthSizeMinusOne 3)."""
_AVC_SPS = 7
_HEVC_SPS = 33
_MAX_UNITS = 16
"""Units that are searched: parameter sets are the first ones."""


def changed(run: SampleRun, codec: Codec) -> bool:
    """Whether the first sample of `run` has a sequence parameter set that `codec` has not."""
    hevc = codec.string.startswith(("hvc1", "hev1"))
    for unit in _units(run.payload, run.sizes[0]):
        kind = unit_type(unit[0]) if hevc else unit[0] & 31
        if kind == (_HEVC_SPS if hevc else _AVC_SPS) and bytes(unit) not in codec.parameter_sets:
            return True
    return False


def hevc_sets(payload: Buffer) -> list[bytes]:
    """The HEVC parameter sets at the beginning of the first sample of `payload`."""
    units = _units(payload, len(payload))
    return [bytes(unit) for unit in units if unit_type(unit[0]) in PARAMETER_SETS]


def without_hevc_sets(run: SampleRun) -> SampleRun:
    """`run` without HEVC parameter sets at the beginning of its keyframes."""
    sizes, parts, at = list(run.sizes), list[Buffer](), 0
    view = memoryview(run.payload)
    for index, size in enumerate(run.sizes):
        sample = view[at : at + size]
        at += size
        if run.is_keyframe(index) and hevc_sets(sample):
            sample = memoryview(_without_sets(sample))
            sizes[index] = len(sample)
        parts.append(sample)
    if sizes == list(run.sizes):
        return run
    return SampleRun(run.start, run.durations, sizes, run.flags, run.compositions, b"".join(parts))


def _without_sets(sample: memoryview) -> bytes:
    kept, at = list[Buffer](), 0
    for unit in _units(sample, len(sample)):
        end = at + _LENGTH + len(unit)
        if unit_type(unit[0]) not in PARAMETER_SETS:
            kept.append(sample[at:end])
        at = end
    return b"".join((*kept, sample[at:]))


def _units(data: Buffer, end: int) -> Iterator[memoryview]:
    view, at = memoryview(data), 0
    for _ in range(_MAX_UNITS):
        size = int.from_bytes(view[at : at + _LENGTH])
        start = at + _LENGTH
        at = start + size
        if not size or at > end:
            return
        yield view[start:at]


def lacks_parameter_sets(init: bytes) -> bool:
    """Whether `init` describes HEVC without its parameter sets.

    Raises:
        MediaError: boxes do not fit.
    """
    found = _configuration(init)
    if found is None:
        return False
    config = found[-1]
    return config.end - config.body <= HEVC_FIXED or init[config.body + HEVC_FIXED] == 0


def with_parameter_sets(init: bytes, sets: Sequence[bytes]) -> bytes:
    """`init` as `hvc1`, with the parameter sets `sets` in its configuration.

    Raises:
        MediaError: a sequence parameter set is missing or cut short, or `init` is not HEVC.
    """
    found = _configuration(init)
    if found is None:
        raise MediaError("no HEVC", box="stsd")
    *ancestors, entry, config = found
    record = box(b"hvcC", hevc_configuration(sets))
    more = len(record) - (config.end - config.start)
    out = bytearray(init)
    out[config.start : config.end] = record
    out[entry.start + 4 : entry.body] = b"hvc1"
    for parent in (*ancestors, entry):
        if parent.body - parent.start != HEADER:
            raise MediaError("size of 64 bits", offset=parent.start)
        pack_into(">I", out, parent.start, parent.end - parent.start + more)
    return bytes(out)


def _configuration(init: bytes) -> tuple[Box, ...] | None:
    """The boxes from `moov` down to `hvcC`; None without HEVC."""
    path = [find(init, 0, len(init), b"moov")]
    for name in (b"trak", b"mdia", b"minf", b"stbl", b"stsd"):
        path.append(find(init, path[-1].body, path[-1].end, name))
    entry = next(children(init, path[-1].body + 8, path[-1].end), None)
    if entry is None or entry.type not in (b"hvc1", b"hev1"):
        return None
    start = min(entry.body + VISUAL_ENTRY, entry.end)
    return (*path, entry, find(init, start, entry.end, b"hvcC"))
