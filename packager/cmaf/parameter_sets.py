"""Parameter sets in the samples, which show a change of the feed.

Only a feed that is passed through may change. A player with the old init section cannot decode the
samples after a change.
"""

from collections.abc import Iterator

from packager.cmaf.boxes import Buffer
from packager.cmaf.codecs import Codec
from packager.cmaf.samples import SampleRun

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
        kind = unit[0] >> 1 & 63 if hevc else unit[0] & 31
        if kind == (_HEVC_SPS if hevc else _AVC_SPS) and bytes(unit) not in codec.parameter_sets:
            return True
    return False


def _units(data: Buffer, end: int) -> Iterator[memoryview]:
    view, at = memoryview(data), 0
    for _ in range(_MAX_UNITS):
        size = int.from_bytes(view[at : at + _LENGTH])
        start = at + _LENGTH
        at = start + size
        if not size or at > end:
            return
        yield view[start:at]
