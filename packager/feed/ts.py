"""A transport stream as it passes (ISO/IEC 13818-1): of most packets only the head is looked at.

Health and keyframes are those of one programme: the one that is asked for, or the first.
"""

from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from packager.feed.access_unit import LOOKS, Seen
from packager.feed.container import Piece, Report
from packager.feed.health import Health
from packager.feed.packets import PACKET, Packets
from packager.feed.sections import Program, Stream, Tables

_RATE = 90_000
_BITS = 33
_NULL = 0x1FFF
_HEAD = 4
"""Bytes of a packet before what may differ: sync, PID with flags, counter with flags."""
_DAMAGED, _STARTS = 0x8000, 0x4000
"""Flags beside the PID: transport_error_indicator, payload_unit_start_indicator."""
_PAYLOAD, _ADAPTATION = 0x10, 0x20
_SCRAMBLED = 0xC0
_DISCONTINUITY, _RANDOM_ACCESS, _PCR = 0x80, 0x40, 0x10
"""Flags of an adaptation field (2.4.3.5)."""
_PCR_ENDS = 7
"""Length of an adaptation field that a PCR fits into."""

_WATCHED = 0x100
"""Beside the expected counter of a PID: no packet of it is passed over."""
_NEXT = [
    octet & 0xF0 | (octet + 1) & 0x0F if octet & 0xF0 == _PAYLOAD else octet for octet in range(256)
]
"""What stands where a counter does, in the next packet of its PID."""
_SAME = 15
"""How far ahead of what is expected the counter of the last packet is, of 16."""
_REORDERED = 64
"""Packets after which one that was missing can no longer come."""

_MOST_OF_PICTURE = 2
"""Packets of a picture that are looked at, to know what it is."""
_MOST_HELD = 16 * PACKET
"""Bytes after the beginning of a picture that wait until it is known what it is."""

_MPEG_SOUND = "mp2"
_LAYER_3 = 1


@dataclass(slots=True)
class _Opening:
    """The beginning of a picture of which it is not known whether it is a keyframe."""

    begin: int
    """Where its first packet begins, in what is to be let go."""
    shown: int | None
    data: bytes
    random_access: bool
    packets: int = 1


@dataclass(slots=True)
class _Missing:
    """Packets of a PID that were passed over: they may come yet."""

    counters: int
    """A bit for each."""
    number: int
    """Of packets that had come then."""


class _Counters:
    """The continuity counters of all PIDs (2.4.3.3)."""

    def __init__(self) -> None:
        """No packet has come."""
        self.expected: dict[int, int] = {}
        """By PID: the octet with the counter, of a next packet with nothing but payload."""
        self._repeated: set[int] = set()
        """PIDs whose last packet came twice: once that is legal."""
        self._missing: dict[int, _Missing] = {}
        self._watched: set[int] = set()

    def step(self, pid: int, counter: int, number: int, *, jumps: bool) -> tuple[bool, int]:
        """Packet `number` of all has come, with payload.

        Returns: whether the payload is new, and how many packets were missing or too many.
        """
        was = self.expected.get(pid)
        if was is None or jumps or was & 0xF == counter:
            self._set(pid, counter + 1)
            return True, 0
        gap = (counter - was) & 0xF
        if gap == _SAME:
            legal = pid not in self._repeated
            self._repeated.add(pid)
            return False, 0 if legal else 1
        missing = self._missing.get(pid)
        if missing and missing.counters >> counter & 1 and number - missing.number < _REORDERED:
            missing.counters &= ~(1 << counter)
            return False, 0
        lost = sum(1 << ((was + one) & 0xF) for one in range(gap))
        self._missing[pid] = _Missing(lost, number)
        self._set(pid, counter + 1)
        return True, gap

    def _set(self, pid: int, counter: int) -> None:
        self._repeated.discard(pid)
        self.expected[pid] = counter & 0xF | _PAYLOAD | (_WATCHED if pid in self._watched else 0)

    def watch(self, pid: int) -> None:
        """Let every packet of `pid` be looked at."""
        self._watched.add(pid)
        if pid in self.expected:
            self.expected[pid] |= _WATCHED

    def pass_over(self, pid: int) -> None:
        """Let packets of `pid` that go on as expected pass."""
        self._watched.discard(pid)
        if pid in self.expected:
            self.expected[pid] &= ~_WATCHED


class TsInspector:
    """The inspector of a transport stream."""

    def __init__(self, program: int | None = None) -> None:
        """Look at the programme of that number, or the first."""
        self._packets = Packets()
        self._tables = Tables(program)
        self._health = Health(_RATE, _BITS)
        self._counters = _Counters()
        for pid in self._tables.pids:
            self._counters.watch(pid)
        self._counted = 0
        """Packets that have come."""
        self._errors = 0
        self._program: Program | None = None
        self._video = -1
        self._sound = -1
        """PIDs of the picture and of the first sound."""
        self._codec = ""
        self._look: Callable[[bytes], Seen] | None = None
        self._layers: dict[int, str] = {}
        """Codecs of MPEG sound that its map does not tell apart."""
        self._parameters = b""
        self._changes = 0
        """Of the picture's parameters."""
        self._opening: _Opening | None = None
        self._held = b""
        """Packets that are not let go yet: from the opening on."""
        self._cuts: list[int] = []
        """Where keyframes begin in what is to be let go."""

    @property
    def prelude(self) -> bytes:
        """The newest PAT and PMTs, in the packets they came in."""
        return self._tables.prelude

    @property
    def revision(self) -> int:
        """Counts new tables, and new parameters of the picture."""
        return self._tables.revision + self._changes

    @property
    def programs(self) -> tuple[int, ...]:
        """The numbers of all programmes."""
        return tuple(self._tables.programs)

    @property
    def elapsed(self) -> int:
        """Microseconds that the feed's own clock has gone on."""
        return self._health.clock.elapsed

    def push(self, data: bytes, now: int) -> list[Piece]:
        """The packets that `data`, which came at `now`, completes, cut before keyframes."""
        self._health.came(len(data), now)
        packets = self._packets.push(data)
        if not packets:
            return []
        begin = len(self._held)
        if begin:
            packets = self._held + packets
        self._walk(packets, begin, now)
        if self._opening and len(packets) - self._opening.begin > _MOST_HELD + PACKET:
            self._decide(self._seen(self._opening), over=True)
        return self._let_go(packets)

    def report(self, now: int) -> Report:
        """How the programme is at `now`."""
        program = self._program
        audio = () if program is None else tuple(map(self._name, program.audio))
        report = self._health.report(now, self._codec, audio)
        return msgspec.structs.replace(
            report, continuity_errors=self._errors, junk_bytes=self._packets.junk
        )

    def _name(self, stream: Stream) -> str:
        return self._layers.get(stream.pid, stream.codec)

    def _walk(self, packets: bytes, at: int, now: int) -> None:
        expected = self._counters.expected
        flags = zip(
            packets[at + 1 :: PACKET], packets[at + 2 :: PACKET], packets[at + 3 :: PACKET],
            strict=True,
        )  # fmt: skip
        before = self._counted - at // PACKET
        for first, second, last in flags:
            pid = first << 8 | second
            # Nearly all go on where the one before ended, and have nothing but payload.
            if expected.get(pid) == last:
                expected[pid] = _NEXT[last]
            elif pid & _NULL != _NULL:
                self._counted = before + at // PACKET
                self._take(packets, at, pid, last, now)
            at += PACKET
        self._counted = before + at // PACKET

    def _let_go(self, packets: bytes) -> list[Piece]:
        end = len(packets) if self._opening is None else self._opening.begin
        self._held = packets[end:]
        if self._opening is not None:
            self._opening.begin = 0
        cuts, self._cuts = self._cuts, []
        if not cuts:
            return [Piece(packets[:end], starts=False)] if end else []
        pieces = [Piece(packets[: cuts[0]], starts=False)] if cuts[0] else []
        for begin, after in zip(cuts, [*cuts[1:], end], strict=True):
            pieces.append(Piece(packets[begin:after], starts=True))
        return pieces

    def _take(self, packets: bytes, at: int, head: int, last: int, now: int) -> None:
        """Look at the packet at `at`; `head` is its PID and `last` its counter, both with flags."""
        if self._opening and at - self._opening.begin > _MOST_HELD:
            self._decide(self._seen(self._opening), over=True)
        pid = head & _NULL
        own = self._program is not None and pid in self._program.pids
        begin = at + _HEAD
        flags = 0
        if last & _ADAPTATION:
            length = packets[begin]
            flags = packets[begin + 1] if length else 0
            begin += 1 + length
        if head & _DAMAGED or begin > at + PACKET or not last & (_ADAPTATION | _PAYLOAD):
            self._errors += own
            if last & _PAYLOAD:  # it has its place all the same
                self._counters.step(pid, last & 0xF, self._counted, jumps=False)
            return
        if flags and self._program is not None and pid == self._program.clock:
            self._time(packets, at, flags, now)
        if not last & _PAYLOAD:
            return
        jumps = bool(flags & _DISCONTINUITY)
        new, errors = self._counters.step(pid, last & 0xF, self._counted, jumps=jumps)
        self._errors += errors if own else 0
        if not new or last & _SCRAMBLED or begin == at + PACKET:
            return
        starts = bool(head & _STARTS)
        if pid == self._video:
            self._picture(packets, at, begin, starts=starts, random=flags & _RANDOM_ACCESS, now=now)
        elif pid in self._tables.pids:
            packet = packets[at : at + PACKET]
            if self._tables.push(pid, packet, begin - at, starts=starts):
                self._announced()
        elif starts and own:
            self._hear(packets[begin : at + PACKET], pid, now)

    def _time(self, packets: bytes, at: int, flags: int, now: int) -> None:
        """Read the clock in an adaptation field (2.4.3.5)."""
        if flags & _DISCONTINUITY:
            self._health.forget()
        if flags & _PCR and packets[at + _HEAD] >= _PCR_ENDS:
            field = int.from_bytes(packets[at + _HEAD + 2 : at + _HEAD + 7])
            self._health.clock.seen(field >> 7, now)

    def _announced(self) -> None:
        """Look at what the tables say now."""
        for pid in self._tables.pids:
            self._counters.watch(pid)
        program = self._tables.program
        if program == self._program:
            return
        before, self._program = self._program, program
        video = program.video if program else None
        pid, codec = (video.pid, video.codec) if video else (-1, "")
        if self._opening and (pid, codec) != (self._video, self._codec):
            self._decide(self._seen(self._opening), over=True)
        if before is not None and (program is None or before.clock != program.clock):
            self._health.forget()
        self._counters.pass_over(self._video)
        self._video, self._codec = pid, codec
        self._look = LOOKS.get(codec)
        audio = program.audio if program else ()
        self._sound = audio[0].pid if audio else -1
        self._layers = {one.pid: self._name(one) for one in audio if one.codec == _MPEG_SOUND}

    def _hear(self, payload: bytes, pid: int, now: int) -> None:
        if pid not in self._layers and pid != self._sound:
            return
        pes = _pes(payload)
        if pes is None:
            return
        _, heard, data = pes
        if len(data) > 1 and pid in self._layers and data[0] == 0xFF:  # noqa: PLR2004 - sync word
            self._layers[pid] = "mp3" if data[1] >> 1 & 3 == _LAYER_3 else _MPEG_SOUND
        if pid == self._sound:
            self._health.sound(heard, now)

    def _picture(
        self, packets: bytes, at: int, begin: int, *, starts: bool, random: int, now: int
    ) -> None:
        """Look at a packet of the picture."""
        payload = packets[begin : at + PACKET]
        opening = self._opening
        if not starts:
            if opening is None:
                return
            opening.data += payload
            opening.packets += 1
            self._decide(self._seen(opening), over=opening.packets >= _MOST_OF_PICTURE)
            return
        if opening is not None:
            self._decide(self._seen(opening), over=True)
        pes = _pes(payload)
        if pes is None:
            return
        decoded, shown, data = pes
        self._health.picture(decoded, now)
        if decoded is not None and self._program is not None and self._program.clock == _NULL:
            self._health.clock.seen(decoded, now)  # it has no other
        self._opening = _Opening(at, shown, data, bool(random))
        self._counters.watch(self._video)
        self._decide(self._seen(self._opening), over=False)

    def _seen(self, opening: _Opening) -> Seen:
        if self._look is None:
            return Seen(opening.random_access, b"")
        return self._look(opening.data)

    def _decide(self, seen: Seen, *, over: bool) -> None:
        """Say what the opening is, where that is known, or no more of it is looked at."""
        opening = self._opening
        if opening is None or (seen.keyframe is None and not over):
            return
        self._opening = None
        self._counters.pass_over(self._video)
        # Parameters stand before keyframes only, though these may be farther off.
        likely = seen.keyframe is None and bool(seen.parameters)
        if not (opening.random_access or seen.keyframe or likely):
            return
        self._cuts.append(opening.begin)
        if opening.shown is not None:
            self._health.keyframe(opening.shown)
        if seen.parameters:
            self._changes += bool(self._parameters) and seen.parameters != self._parameters
            self._parameters = seen.parameters


def _pes(payload: bytes) -> tuple[int | None, int | None, bytes] | None:
    """When a PES packet is to be decoded and shown, and what follows its head (2.4.3.6).

    None where it is no PES packet of picture or sound.
    """
    if len(payload) < 9 or not payload.startswith(b"\0\0\1"):  # noqa: PLR2004 - fixed part
        return None
    flags, size = payload[7] >> 6, payload[8]
    data = payload[9 + size :]
    if not flags & 2 or size < 5 or len(payload) < 14:  # noqa: PLR2004 - one timestamp
        return None, None, data
    shown = _timestamp(payload, 9)
    if flags & 1 and size >= 10 and len(payload) >= 19:  # noqa: PLR2004 - two of them
        return _timestamp(payload, 14), shown, data
    return shown, shown, data


def _timestamp(data: bytes, at: int) -> int:
    return (
        (data[at] >> 1 & 7) << 30
        | (int.from_bytes(data[at + 1 : at + 3]) >> 1) << 15
        | int.from_bytes(data[at + 3 : at + 5]) >> 1
    )
