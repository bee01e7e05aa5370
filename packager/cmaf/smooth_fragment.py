"""A CMAF segment as a Smooth fragment (MS-SSTR section 2.2.4).

The chunks become one `moof` and one `mdat`. Sample times are in Smooth's time, since clients take
the manifest's time scale for the media's. `tfxd` is the time of the fragment, `tfrf` the times of
the fragments that follow.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from struct import pack
from uuid import UUID

from msgspec.structs import replace

from packager.cmaf.boxes import children, full_box
from packager.cmaf.samples import DELTA_FLAGS, SampleDefaults, SampleRun, joined, read, write_smooth
from packager.cmaf.splitter import MovieFragment
from packager.errors import MediaError
from packager.timing.smooth_time import smooth_time

_TFXD = UUID("6D1D9B05-42D5-44E6-80E2-141DAFF757B2").bytes
_TFRF = UUID("D4807EF2-CA39-4695-8E54-26CB9E46A79F").bytes
_NO_DEFAULTS = SampleDefaults(0, 0, DELTA_FLAGS)


def smooth_fragment(
    segment: bytes, timescale: int, span: tuple[int, int], following: Sequence[tuple[int, int]]
) -> bytes:
    """The fragment of `segment`, whose times are in ticks of `timescale`.

    Args:
        segment: the chunks of a CMAF segment.
        timescale: the track's ticks a second.
        span: start and duration of the fragment in Smooth's time.
        following: starts and durations of the fragments after it.

    Raises:
        MediaError: the bytes are not a CMAF segment.
    """
    runs = list(_runs(segment))
    if not runs:
        raise MediaError("no fragment in the segment")
    # Only the samples' tables are joined: their bytes are copied once, into the result.
    samples = joined([replace(run, payload=b"") for run in runs])
    run = _in_smooth_time(samples, timescale)
    extensions = [_uuid(_TFXD, pack(">QQ", *span))]
    if following:
        entries = b"".join(pack(">QQ", *item) for item in following)
        extensions.append(_uuid(_TFRF, pack(">B", len(following)) + entries))
    payloads = [run.payload for run in runs]
    return b"".join(write_smooth(run, span[0] // 10_000_000, extensions, payloads))


def _runs(segment: bytes) -> Iterator[SampleRun]:
    view, moof = memoryview(segment), b""
    for box in children(segment, 0, len(segment)):
        if box.type == b"moof":
            moof = segment[box.start : box.end]
        elif box.type == b"mdat":
            yield read(MovieFragment(moof, view[box.body : box.end]), _NO_DEFAULTS)
            moof = b""
    if moof:
        raise MediaError("the segment is cut short", offset=len(segment))


def _uuid(name: bytes, body: bytes) -> bytes:
    """An extension box of version 1: its times have 64 bits."""
    box = full_box(b"uuid", 1, 0, body)
    return pack(">I", len(box) + len(name)) + b"uuid" + name + box[8:]


def _in_smooth_time(run: SampleRun, timescale: int) -> SampleRun:
    """`run` with each time rounded by itself, so that rounding errors do not add up."""
    decode = [run.start]
    for duration in run.durations:
        decode.append(decode[-1] + duration)
    times = [smooth_time(time, timescale) for time in decode]
    compositions = [
        smooth_time(at + offset, timescale) - time if offset else 0
        for at, offset, time in zip(decode[:-1], run.compositions, times[:-1], strict=True)
    ]
    durations = [after - before for before, after in pairwise(times)]
    return SampleRun(times[0], durations, run.sizes, run.flags, compositions, run.payload)
