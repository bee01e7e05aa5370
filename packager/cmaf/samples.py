"""Runs of samples: the content of a fragment, read from a `moof` and written to one.

Reading follows ISO/IEC 14496-12 sections 8.8.6 to 8.8.12. Writing uses one canonical form: equal
samples give equal bytes, whichever encoder made them.
"""

from collections.abc import Sequence
from struct import pack, unpack_from

import msgspec

from packager.cmaf.boxes import Box, Buffer, box, children, find, full_box
from packager.cmaf.splitter import MovieFragment
from packager.errors import MediaError
from packager.timing.ticks import MICROS, UtcMicros

_TFHD_BASE = 0x1
_TFHD_DESCRIPTION = 0x2
_TFHD_DURATION = 0x8
_TFHD_SIZE = 0x10
_TFHD_FLAGS = 0x20
_TFHD_BASE_IS_MOOF = 0x020000
_TRUN_OFFSET = 0x1
_TRUN_FIRST_FLAGS = 0x4
_TRUN_DURATION = 0x100
_TRUN_SIZE = 0x200
_TRUN_FLAGS = 0x400
_TRUN_COMPOSITION = 0x800

_NOT_SYNC = 0x00010000
"""sample_is_non_sync_sample (8.8.3.1)."""
SYNC_FLAGS = 0x02000000
"""sample_depends_on = 2: an I picture, a sync sample."""
DELTA_FLAGS = 0x01010000
"""sample_depends_on = 1, not a sync sample."""

_TRACK_ID = 1
_NTP_EPOCH = 2_208_988_800
"""Seconds from 1900, the epoch of NTP, to 1970."""
MAX_SAMPLES = 100_000


class SampleDefaults(msgspec.Struct, frozen=True, gc=False):
    """A track's `trex` (8.8.3): the values that a fragment may leave out."""

    duration: int
    size: int
    flags: int


class SampleRun(msgspec.Struct, frozen=True):
    """Consecutive samples of one track. Times in the track's ticks, sizes in bytes."""

    start: int
    """Decode time of the first sample; negative for encoder priming."""
    durations: Sequence[int]
    sizes: Sequence[int]
    flags: Sequence[int]
    compositions: Sequence[int]
    """Presentation minus decode time."""
    payload: Buffer

    @property
    def duration(self) -> int:
        """Ticks of all samples together."""
        return sum(self.durations)

    @property
    def keyframe(self) -> bool:
        """Whether the first sample can be decoded by itself."""
        return self.is_keyframe(0)

    def is_keyframe(self, index: int) -> bool:
        """Whether the sample at `index` can be decoded by itself."""
        return not self.flags[index] & _NOT_SYNC

    def split(self, index: int) -> tuple["SampleRun", "SampleRun"]:
        """The samples before `index`, and those from it on."""
        cut = sum(self.sizes[:index])
        head = SampleRun(
            self.start,
            self.durations[:index],
            self.sizes[:index],
            self.flags[:index],
            self.compositions[:index],
            self.payload[:cut],
        )
        tail = SampleRun(
            self.start + head.duration,
            self.durations[index:],
            self.sizes[index:],
            self.flags[index:],
            self.compositions[index:],
            self.payload[cut:],
        )
        return head, tail

    def samples_before(self, boundary: int) -> int:
        """Count of the samples whose middle lies before `boundary`."""
        time = self.start
        for index, duration in enumerate(self.durations):
            if time + duration // 2 >= boundary:
                return index
            time += duration
        return len(self.durations)

    def moved(self, by: int, composition: int = 0) -> "SampleRun":
        """The same samples `by` ticks later, with composition offsets lower by `composition`."""
        compositions = self.compositions
        if composition:
            compositions = [offset - composition for offset in compositions]
        return SampleRun(
            self.start + by, self.durations, self.sizes, self.flags, compositions, self.payload
        )


def joined(runs: Sequence[SampleRun]) -> SampleRun:
    """Consecutive runs as one run."""
    if len(runs) == 1:
        return runs[0]
    return SampleRun(
        runs[0].start,
        [value for run in runs for value in run.durations],
        [value for run in runs for value in run.sizes],
        [value for run in runs for value in run.flags],
        [value for run in runs for value in run.compositions],
        b"".join(run.payload for run in runs),
    )


def read(fragment: MovieFragment, defaults: SampleDefaults) -> SampleRun:
    """The samples of a fragment.

    Raises:
        MediaError: the fragment contradicts itself.
    """
    moof = fragment.moof
    traf = find(moof, 0, len(moof), b"moof", b"traf")
    start: int | None = None
    values = defaults
    runs: list[SampleRun] = []
    for child in children(moof, traf.body, traf.end):
        if child.type == b"tfhd":
            values = _read_tfhd(moof, child, defaults)
        elif child.type == b"tfdt":
            start = _read_tfdt(moof, child)
        elif child.type == b"trun":
            runs.append(_read_trun(moof, child, values, b""))
    if start is None or not runs:
        raise MediaError("no decode time or no samples", offset=traf.start, box="traf")
    run = joined(runs)
    if sum(run.sizes) != len(fragment.payload):
        raise MediaError(
            f"samples of {sum(run.sizes)} bytes in a payload of {len(fragment.payload)}", box="mdat"
        )
    return SampleRun(start, run.durations, run.sizes, run.flags, run.compositions, fragment.payload)


def _need(child: Box, size: int) -> None:
    if child.end - child.body < size:
        raise MediaError("too short", offset=child.start, box=child.type.decode("latin-1"))


def _read_tfhd(data: Buffer, child: Box, defaults: SampleDefaults) -> SampleDefaults:
    _need(child, 8)
    (flags,) = unpack_from(">I", data, child.body)
    at = child.body + 8
    at += 8 if flags & _TFHD_BASE else 0
    at += 4 if flags & _TFHD_DESCRIPTION else 0
    values = [defaults.duration, defaults.size, defaults.flags]
    for index, bit in enumerate((_TFHD_DURATION, _TFHD_SIZE, _TFHD_FLAGS)):
        if flags & bit:
            _need(child, at + 4 - child.body)
            (values[index],) = unpack_from(">I", data, at)
            at += 4
    return SampleDefaults(*values)


def _read_tfdt(data: Buffer, child: Box) -> int:
    _need(child, 8)
    if data[child.body] == 1:
        _need(child, 12)
        # Signed, against the letter of 8.8.12: ffmpeg writes AAC priming as a negative time.
        return int(unpack_from(">q", data, child.body + 4)[0])
    return int(unpack_from(">I", data, child.body + 4)[0])


def _read_trun(data: Buffer, child: Box, values: SampleDefaults, payload: Buffer) -> SampleRun:
    _need(child, 8)
    flags, count = unpack_from(">II", data, child.body)
    version, flags = flags >> 24, flags & 0xFFFFFF
    at = child.body + 8 + (4 if flags & _TRUN_OFFSET else 0)
    first_flags: int | None = None
    if flags & _TRUN_FIRST_FLAGS:
        _need(child, at + 4 - child.body)
        (first_flags,) = unpack_from(">I", data, at)
        at += 4
    present = [
        bool(flags & bit) for bit in (_TRUN_DURATION, _TRUN_SIZE, _TRUN_FLAGS, _TRUN_COMPOSITION)
    ]
    width = sum(present)
    if not 0 < count <= MAX_SAMPLES or child.end - at != 4 * width * count:
        raise MediaError(f"{count} samples do not fit", offset=child.start, box="trun")
    table = unpack_from(f">{width * count}I", data, at)
    columns: list[Sequence[int]] = []
    used = 0
    for there, default in zip(
        present, (values.duration, values.size, values.flags, 0), strict=True
    ):
        columns.append(table[used::width] if there else [default] * count)
        used += there
    durations, sizes, sample_flags, compositions = columns
    if first_flags is not None and not flags & _TRUN_FLAGS:
        sample_flags = [first_flags, *sample_flags[1:]]
    if version and flags & _TRUN_COMPOSITION:
        compositions = unpack_from(f">{width * count}i", data, at)[width - 1 :: width]
    return SampleRun(0, durations, sizes, sample_flags, compositions, payload)


def write_reference(time: int, instant: UtcMicros) -> bytes:
    """A `prft` (8.16.5): the sample with decode time `time` entered the encoder at `instant`."""
    whole, micros = divmod(instant, MICROS)
    fraction = (micros << 32) // MICROS
    return full_box(
        b"prft", 1, 0, pack(">IIIq", _TRACK_ID, whole + _NTP_EPOCH & 0xFFFFFFFF, fraction, time)
    )


def write(run: SampleRun, sequence: int) -> list[Buffer]:
    """The `moof` and `mdat` of `run`, as consecutive buffers."""
    track = [full_box(b"tfdt", 1, 0, pack(">q", run.start))]
    return [_head(run, sequence, track, [], len(run.payload)), run.payload]


def write_smooth(
    run: SampleRun, sequence: int, extensions: Sequence[bytes], payloads: Sequence[Buffer]
) -> list[Buffer]:
    """The `moof` and `mdat` of a Smooth fragment: without `tfdt`, with `extensions` after `trun`.

    `payloads` are the samples' bytes; the run's own payload is ignored.
    """
    return [_head(run, sequence, [], extensions, sum(map(len, payloads))), *payloads]


def _head(
    run: SampleRun, sequence: int, before: Sequence[bytes], after: Sequence[bytes], size: int
) -> bytes:
    """The bytes before a payload of `size` bytes."""
    duration, flags = run.durations[0], run.flags[-1]
    # If all samples but the first have equal flags, these are written once.
    uniform = all(value == flags for value in run.flags[1:])
    bits = _TRUN_OFFSET | _TRUN_SIZE | (_TRUN_FIRST_FLAGS if uniform else _TRUN_FLAGS)
    columns: list[Sequence[int]] = []
    if any(value != duration for value in run.durations):
        bits |= _TRUN_DURATION
        columns.append(run.durations)
    columns.append(run.sizes)
    if not uniform:
        columns.append(run.flags)
    if any(run.compositions):
        bits |= _TRUN_COMPOSITION
        columns.append([value & 0xFFFFFFFF for value in run.compositions])
    count, width = len(run.sizes), len(columns)
    table = [0] * (width * count)
    for index, column in enumerate(columns):
        table[index::width] = column
    tfhd = full_box(
        b"tfhd",
        0,
        _TFHD_BASE_IS_MOOF | _TFHD_DURATION | _TFHD_FLAGS,
        pack(">III", _TRACK_ID, duration, flags),
    )
    first = pack(">I", run.flags[0]) if uniform else b""
    mfhd = full_box(b"mfhd", 0, 0, pack(">I", sequence & 0xFFFFFFFF))
    samples = pack(f">{len(table)}I", *table)
    trun_size = 12 + 8 + len(first) + len(samples)
    traf_size = 8 + len(tfhd) + sum(map(len, before)) + trun_size + sum(map(len, after))
    moof_size = 8 + len(mfhd) + traf_size
    trun = full_box(b"trun", 1, bits, pack(">II", count, moof_size + 8), first, samples)
    moof = box(b"moof", mfhd, box(b"traf", tfhd, *before, trun, *after))
    return moof + pack(">I4s", 8 + size, b"mdat")
