"""The handlers of the video PID and the audio PIDs of a transport stream."""

from dataclasses import dataclass

from packager.container.access_unit import PARSERS, AccessUnit, AccessUnitParser
from packager.container.audio_frame import audio_parameters, mpeg_layer
from packager.container.continuity import ContinuityCounters
from packager.container.pes import PesHeader
from packager.container.psi import ElementaryStream
from packager.container.ts_packet import PACKET_SIZE
from packager.feed.statistics import FeedStatistics

_NO_PID = -1
_INSPECTED_PACKETS = 2
"""Packets of a frame that are inspected to find out whether it is a keyframe."""
_MAX_PENDING = 16 * PACKET_SIZE
"""Bytes after the start of a frame that wait for that decision."""
_MPEG_LAYERS = ("mp2", "mp3")
_WHOLE = 2
"""PES packets that begin before the first is known to be whole."""


@dataclass(slots=True)
class PendingFrame:
    """The start of a frame that may be a keyframe."""

    begin: int
    """Offset of its first packet among the packets not yet released."""
    pts: int | None
    data: bytes
    random_access: bool
    packets: int = 1


class VideoHandler:
    """Finds frames and keyframes in the packets of the video PID."""

    def __init__(self, statistics: FeedStatistics, counters: ContinuityCounters) -> None:
        self._statistics = statistics
        self._counters = counters
        self.pid = _NO_PID
        self.codec = ""
        self._parser: AccessUnitParser | None = None
        self._is_clock = False
        self._parameters = b""
        self.parameter_changes = 0
        self.pending: PendingFrame | None = None
        """The frame that waits for the decision whether it is a keyframe."""
        self.keyframes: list[int] = []
        """Offsets of keyframes among the packets not yet released."""
        self.changes: list[int] = []
        """Those of them at which the parameters change."""

    def select(self, stream: ElementaryStream | None, *, is_clock: bool) -> None:
        """Handle `stream`; `is_clock`: the program has no PCR, so its DTS serve as the clock."""
        pid, codec = (stream.pid, stream.codec) if stream else (_NO_PID, "")
        if self.pending and (pid, codec) != (self.pid, self.codec):
            self._decide(self.pending, is_last=True)
        self._counters.unwatch(self.pid)
        self.pid, self.codec, self._is_clock = pid, codec, is_clock
        self._parser = PARSERS.get(codec)

    def start(self, at: int, header: PesHeader | None, now: int, *, random_access: bool) -> None:
        """Take the first packet of a PES packet, which begins at the offset `at`.

        `header` is None if the packet does not begin as video does.
        """
        if self.pending is not None:
            self._decide(self.pending, is_last=True)
        if header is None:
            return
        dts, pts, data = header
        self._statistics.frame(dts, now)
        if dts is not None and self._is_clock:
            self._statistics.clock.observe(dts, now)
        self.pending = PendingFrame(at, pts, data, random_access)
        self._counters.watch(self.pid)
        self._decide(self.pending, is_last=False)

    def extend(self, payload: bytes) -> None:
        """Take a further packet of the pending frame."""
        pending = self.pending
        if pending is not None:
            pending.data += payload
            pending.packets += 1
            self._decide(pending, is_last=pending.packets >= _INSPECTED_PACKETS)

    def limit(self, at: int) -> None:
        """Decide a frame that is pending for too many bytes before the offset `at`."""
        if self.pending is not None and at - self.pending.begin > _MAX_PENDING:
            self._decide(self.pending, is_last=True)

    def release(self, size: int) -> tuple[int, list[int]]:
        """Of `size` bytes, how many can be released, and the offsets of their keyframes."""
        keyframes, self.keyframes = self.keyframes, []
        if self.pending is None:
            return size, keyframes
        end, self.pending.begin = self.pending.begin, 0
        return end, keyframes

    def _decide(self, pending: PendingFrame, *, is_last: bool) -> None:
        """Decide whether the pending frame is a keyframe; `is_last`: no more of it is inspected."""
        unit = self._parse(pending)
        if unit.keyframe is None and not is_last:
            return
        self.pending = None
        self._counters.unwatch(self.pid)
        # Parameter sets precede keyframes only, but the keyframe may be beyond the inspected part.
        likely = unit.keyframe is None and bool(unit.parameters)
        if not (pending.random_access or unit.keyframe or likely):
            return
        self.keyframes.append(pending.begin)
        if pending.pts is not None:
            self._statistics.keyframe(pending.pts)
        if unit.parameters:
            if self._parameters and unit.parameters != self._parameters:
                self.parameter_changes += 1
                self.changes.append(pending.begin)
            self._parameters = unit.parameters

    def _parse(self, pending: PendingFrame) -> AccessUnit:
        if self._parser is None:
            return AccessUnit(pending.random_access, b"")
        return self._parser(pending.data)


@dataclass(slots=True)
class _AudioStream:
    """One audio PID."""

    codec: str
    """The PMT does not distinguish the layers of MPEG audio: its frames do."""
    frames: int = 0
    """PES packets that have begun."""
    parameters: bytes = b""
    """Of its newest frame; empty while they are unknown."""
    other_parameters: bytes = b""
    """Parameters that one PES packet had, and no other yet."""


class AudioHandler:
    """Finds timestamps, parameters and absence of the audio streams."""

    def __init__(self, statistics: FeedStatistics) -> None:
        self._statistics = statistics
        self._streams: dict[int, _AudioStream] = {}
        self._first_pid = _NO_PID
        self.parameter_changes = 0
        self.changes: list[int] = []
        """Offsets of PES packets with other parameters among the packets not yet released."""

    @property
    def pids(self) -> frozenset[int]:
        """All audio PIDs."""
        return frozenset(self._streams)

    @property
    def absent(self) -> frozenset[int]:
        """The PIDs that have sent no whole PES packet."""
        return frozenset(pid for pid, one in self._streams.items() if one.frames < _WHOLE)

    @property
    def codecs(self) -> tuple[str, ...]:
        """The codec of each audio stream."""
        return tuple(one.codec for one in self._streams.values())

    def select(self, streams: tuple[ElementaryStream, ...]) -> None:
        """Handle `streams`; those that stay keep their state."""
        before = self._streams
        self._streams = {
            one.pid: before[one.pid]
            if one.pid in before and _is_variant(before[one.pid].codec, one.codec)
            else _AudioStream(one.codec)
            for one in streams
        }
        self._first_pid = streams[0].pid if streams else _NO_PID

    def start(self, at: int, pid: int, header: PesHeader, now: int) -> None:
        """Take the first packet of a PES packet, which begins at the offset `at`."""
        stream = self._streams[pid]
        stream.frames += 1
        if stream.codec in _MPEG_LAYERS:
            stream.codec = mpeg_layer(header.payload) or stream.codec
        self._compare(stream, audio_parameters(stream.codec, header.payload), at)
        if pid == self._first_pid:
            self._statistics.audio(header.pts, now)

    def _compare(self, stream: _AudioStream, parameters: bytes, at: int) -> None:
        """Compare with the parameters so far; only two PES packets in a row are proof."""
        if not parameters:
            return
        if not stream.parameters:
            stream.parameters = parameters
        elif parameters == stream.parameters:
            stream.other_parameters = b""
        elif parameters != stream.other_parameters:
            stream.other_parameters = parameters
        else:
            stream.parameters, stream.other_parameters = parameters, b""
            self.parameter_changes += 1
            self.changes.append(at)


def _is_variant(known: str, announced: str) -> bool:
    """Whether a stream of the codec `known` is the one that the PMT announces."""
    return known == announced or (announced in _MPEG_LAYERS and known in _MPEG_LAYERS)
