"""Inspects a transport stream (ISO/IEC 13818-1): of most packets only the header is read.

The report and the keyframes are those of one program: the requested one, or the first, and of its
requested video stream, or the first.
"""

from itertools import pairwise

import msgspec

from packager.container.continuity import NEXT_BYTE, ContinuityCounters
from packager.container.packet_reader import PacketReader
from packager.container.pes import (
    TIMESTAMP_SIZE,
    PesHeader,
    parse_pes,
    read_timestamp,
    timestamp_offsets,
    written_timestamp,
)
from packager.container.psi import Program, Tables
from packager.container.ts_packet import (
    ADAPTATION_FIELD,
    COUNTER_MASK,
    DISCONTINUITY,
    HEADER_SIZE,
    NULL_PID,
    PACKET_SIZE,
    PAYLOAD,
    PCR_FLAG,
    PCR_SIZE,
    PID_MASK,
    RANDOM_ACCESS,
    SCRAMBLED,
    TRANSPORT_ERROR,
    UNIT_START,
    payload_offset,
)
from packager.feed.report import FeedPiece, Report
from packager.feed.statistics import FeedStatistics
from packager.feed.ts_streams import AudioHandler, VideoHandler
from packager.timing.time_alignment import TimeAlignment
from packager.timing.timestamp_counter import TS_TIMESTAMPS


class TsInspector:
    """The inspector of a transport stream: each PID of the program has its handler."""

    def __init__(self, program: int | None = None, video: int | None = None) -> None:
        """Inspect the program of that number, or that of the PID `video`, or the first."""
        self._reader = PacketReader()
        self._tables = Tables(program, video)
        self._statistics = FeedStatistics(TS_TIMESTAMPS)
        self._alignment = TimeAlignment(TS_TIMESTAMPS)
        self._aligned: list[tuple[int, bytes]] = []
        """Offsets and values of the timestamps to replace in the packets that are being pushed."""
        self._counters = ContinuityCounters()
        self._video = VideoHandler(self._statistics, self._counters)
        self._audio = AudioHandler(self._statistics)
        self._program: Program | None = None
        self._packet_count = 0
        self._errors = 0
        self._held = b""
        """Packets that wait for the decision whether a frame is a keyframe."""
        self._changes: list[int] = []
        """Offsets of changed tables among the packets not yet released."""
        self._watch_tables()

    @property
    def prelude(self) -> bytes:
        """The newest PAT and PMTs, in their original packets."""
        return self._tables.prelude

    @property
    def revision(self) -> int:
        """Counts changes of the tables and of the parameters of their streams."""
        changes = self._video.parameter_changes + self._audio.parameter_changes
        return self._tables.revision + changes

    @property
    def absent(self) -> frozenset[int]:
        """The PIDs of announced audio streams that have sent no whole PES packet."""
        return self._audio.absent

    @property
    def programs(self) -> tuple[int, ...]:
        """The numbers of all programs."""
        return tuple(self._tables.programs)

    @property
    def frame_step(self) -> int | None:
        """Microseconds between the last two frames; None before a second."""
        return self._statistics.frame_step

    @property
    def elapsed(self) -> int:
        """Microseconds that the feed's own clock has advanced."""
        return self._statistics.clock.elapsed

    def push(self, data: bytes, now: int) -> list[FeedPiece]:
        """The packets that `data`, received at `now`, completes, cut before keyframes."""
        self._statistics.received(len(data), now)
        packets = self._reader.push(data)
        if not packets:
            return []
        begin = len(self._held)
        if begin:
            packets = self._held + packets
        self._walk(packets, begin, now)
        if self._aligned:
            packets = self._with_aligned_times(packets)
        video = self._video
        if not (video.pending or video.keyframes or self._changes or self._audio.changes):
            self._held = b""
            return [FeedPiece(packets, starts=False)]
        video.limit(len(packets) - PACKET_SIZE)
        return self._release(packets)

    def report(self, now: int) -> Report:
        """The condition of the program at `now`."""
        report = self._statistics.report(now, self._video.codec, self._audio.codecs)
        return msgspec.structs.replace(
            report,
            continuity_errors=self._errors,
            junk_bytes=self._reader.junk,
            jumps=self._alignment.jumps,
            absent=tuple(f"0x{pid:x}" for pid in sorted(self._audio.absent)),
        )

    def _walk(self, packets: bytes, at: int, now: int) -> None:
        expected = self._counters.expected
        headers = zip(
            packets[at + 1 :: PACKET_SIZE],
            packets[at + 2 :: PACKET_SIZE],
            packets[at + 3 :: PACKET_SIZE],
            strict=True,
        )
        before = self._packet_count - at // PACKET_SIZE
        for first, second, last in headers:
            pid = first << 8 | second
            # Nearly all packets have the expected counter and payload alone.
            if expected.get(pid) == last:
                expected[pid] = NEXT_BYTE[last]
            elif pid & NULL_PID != NULL_PID:
                self._packet_count = before + at // PACKET_SIZE
                self._inspect(packets, at, pid, last, now)
            at += PACKET_SIZE
        self._packet_count = before + at // PACKET_SIZE

    def _release(self, packets: bytes) -> list[FeedPiece]:
        end, keyframes = self._video.release(len(packets))
        self._held = packets[end:]
        changes = {*self._taken_changes(end), *(at for at in self._video.changes if at < end)}
        self._video.changes = []
        bounds = sorted({0, end, *keyframes, *changes})
        return [
            FeedPiece(packets[begin:after], begin in keyframes, begin in changes)
            for begin, after in pairwise(bounds)
        ]

    def _taken_changes(self, end: int) -> list[int]:
        """The changes of tables and audio before the offset `end`; later ones stay."""
        found = [*self._changes, *self._audio.changes]
        self._changes = []
        self._audio.changes = [at - end for at in found if at >= end]
        return [at for at in found if at < end]

    def _inspect(self, packets: bytes, at: int, head: int, last: int, now: int) -> None:
        """Inspect the packet at `at`.

        `head` is the PID with its flags, `last` the continuity counter with its flags.
        """
        if self._video.pending is not None:
            self._video.limit(at)
        pid = head & PID_MASK
        program = self._program
        in_program = program is not None and pid in program.pids
        begin, flags = at + HEADER_SIZE, 0
        if last & ADAPTATION_FIELD:
            length = packets[begin]
            flags = packets[begin + 1] if length else 0
            begin += 1 + length
        if (
            head & TRANSPORT_ERROR
            or begin > at + PACKET_SIZE
            or not last & (ADAPTATION_FIELD | PAYLOAD)
        ):
            self._errors += in_program
            if last & PAYLOAD:  # a damaged packet counts in the sequence all the same
                self._counters.step(pid, last & COUNTER_MASK, self._packet_count, jumps=False)
            return
        if flags and program is not None and pid == program.clock:
            self._read_clock(packets, at, flags, now)
        if last & PAYLOAD and self._is_new(pid, last, flags, in_program=in_program):
            has_content = not last & SCRAMBLED and begin != at + PACKET_SIZE
            if has_content:
                self._dispatch(packets, at, begin, (head, flags), now)

    def _is_new(self, pid: int, last: int, flags: int, *, in_program: bool) -> bool:
        """Check the continuity counter. Returns: whether the payload is new."""
        jumps = bool(flags & DISCONTINUITY)
        new, errors = self._counters.step(pid, last & COUNTER_MASK, self._packet_count, jumps=jumps)
        if in_program:
            self._errors += errors
        return new

    def _dispatch(
        self, packets: bytes, at: int, begin: int, flags: tuple[int, int], now: int
    ) -> None:
        """Pass the payload from `begin` on to the handler of its PID."""
        head, adaptation = flags
        pid, starts, end = head & PID_MASK, bool(head & UNIT_START), at + PACKET_SIZE
        if pid == self._video.pid:
            if starts:
                random_access = bool(adaptation & RANDOM_ACCESS)
                header = self._read_pes(packets, at, begin, pid, now)
                self._video.start(at, header, now, random_access=random_access)
            elif self._video.pending is not None:
                self._video.extend(packets[begin:end])
        elif pid in self._tables.pids:
            if self._tables.push(pid, packets[at:end], begin - at, starts=starts):
                self._select_program(at)
        elif starts and pid in self._audio.pids:
            header = self._read_pes(packets, at, begin, pid, now)
            if header is not None:
                self._audio.start(at, pid, header, now)

    def _read_pes(
        self, packets: bytes, at: int, begin: int, pid: int, now: int
    ) -> PesHeader | None:
        """The PES header at `begin` in the packet at `at`, with aligned timestamps."""
        end = at + PACKET_SIZE
        header = parse_pes(packets[begin:end])
        if header is None or header.dts is None:
            return header
        shift = self._alignment.shift(pid, header.dts, now)
        return self._moved(packets[at:end], at, shift) if shift else header

    def _moved(self, packet: bytes, at: int, shift: int) -> PesHeader | None:
        """The PES header in the packet at `at`, whose timestamps are to be replaced."""
        for offset in timestamp_offsets(packet):
            ticks = (read_timestamp(packet, offset) + shift) % TS_TIMESTAMPS.modulus
            value = written_timestamp(packet, offset, ticks)
            packet = packet[:offset] + value + packet[offset + TIMESTAMP_SIZE :]
            self._aligned.append((at + offset, value))
        return parse_pes(packet[payload_offset(packet) :])

    def _with_aligned_times(self, packets: bytes) -> bytes:
        changed = bytearray(packets)
        for at, value in self._aligned:
            changed[at : at + TIMESTAMP_SIZE] = value
        self._aligned.clear()
        return bytes(changed)

    def _read_clock(self, packets: bytes, at: int, flags: int, now: int) -> None:
        """Read the PCR in an adaptation field (2.4.3.5)."""
        if flags & DISCONTINUITY:
            self._statistics.discontinuity()
            self._alignment.announce()
        begin = at + HEADER_SIZE
        if flags & PCR_FLAG and packets[begin] > PCR_SIZE:
            base = int.from_bytes(packets[begin + 2 : begin + 7]) >> 7
            self._statistics.clock.observe(base, now)

    def _watch_tables(self) -> None:
        for pid in self._tables.pids:
            self._counters.watch(pid)

    def _select_program(self, at: int) -> None:
        """Apply changed tables, which end in the packet at `at`."""
        self._watch_tables()
        program = self._tables.program
        if program == self._program:
            return
        before, self._program = self._program, program
        if before is not None:
            self._changes.append(at)
        has_no_pcr = program is not None and program.clock == NULL_PID
        self._video.select(program.video if program else None, is_clock=has_no_pcr)
        if before is not None and (program is None or before.clock != program.clock):
            self._statistics.discontinuity()
        self._audio.select(program.audio if program else ())
        self._alignment.keep((self._video.pid, *self._audio.pids))
