"""Receives transport streams in UDP and RTP packets, unicast or multicast.

The socket is read in one of two modes. Datagrams that arrive one by one at an even pace make each
wake-up expensive, so the receiver changes to polling:

    EVENTS   eight wake-ups in a row found few datagrams, soon after each other -> POLLING
    POLLING  a read found no datagram                                           -> EVENTS
"""

import asyncio
import errno
import socket
from collections.abc import Iterator

from packager.config.sources import UdpSource
from packager.feed.report import Container
from packager.host.sockets import listen_problem
from packager.runtime.ingest.receiver import FeedSink, ProblemReporter
from packager.runtime.ingest.udp_socket import addresses_of, open_port
from packager.timing.clock import monotonic
from packager.transport.datagrams import (
    Address,
    DatagramIgnored,
    DatagramReceiver,
    Event,
    PayloadReceived,
    SenderEnded,
    SenderStarted,
)

_MAX_DATAGRAM = 1 << 16
_BATCH = 512
"""Datagrams read at a time: a flood must not block the other tasks of the process."""
_FEW = 2
"""Datagrams that are not worth a wake-up."""
_SOON = 5_000
"""Microseconds between two wake-ups of an even pace."""
_POLL_AFTER = 8
"""Such wake-ups in a row after which the socket is polled."""
_POLL_INTERVAL = 0.01
"""Seconds."""
_RETRY = 2.0
"""Seconds until a port or an interface is tried again."""


class UdpReceiver:
    """Receives the datagrams for a port, from one sender at a time."""

    def __init__(self, source: UdpSource) -> None:
        self._source = source

    async def run(self, sink: FeedSink) -> None:
        """See `Receiver`."""
        problems = ProblemReporter(sink)
        while True:
            try:
                senders = await addresses_of(self._source.sender)
                opened = await open_port(self._source, senders)
            except OSError as error:
                problems.report(f"udp port {self._source.port}: {_reason(error)}")
                await asyncio.sleep(_RETRY)
                continue
            with opened:
                await _SocketReader(opened, DatagramReceiver(senders=senders), sink, problems).run()


class _SocketReader:
    """Reads an open socket."""

    def __init__(
        self,
        opened: socket.socket,
        datagrams: DatagramReceiver,
        sink: FeedSink,
        problems: ProblemReporter,
    ) -> None:
        self._socket = opened
        self._datagrams = datagrams
        self._sink = sink
        self._problems = problems
        self._buffer = bytearray(_MAX_DATAGRAM)
        self._view = memoryview(self._buffer)
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0
        self._woken_at = 0
        self._small_reads = 0
        """Wake-ups with few datagrams in a row."""
        self._failed: asyncio.Future[None] = self._loop.create_future()

    @property
    def _is_polling(self) -> bool:
        return self._small_reads >= _POLL_AFTER

    async def run(self) -> None:
        self._wait_for_events()
        try:
            await self._failed
        finally:
            self._loop.remove_reader(self._socket.fileno())
            if self._timer is not None:
                self._timer.cancel()
            self._pass_on(self._datagrams.end("the receiver is closed"))

    def _wait_for_events(self) -> None:
        self._small_reads = 0
        self._loop.add_reader(self._socket.fileno(), self._on_event)

    def _on_event(self) -> None:
        """Read the datagrams that woke the loop; change to polling at an even pace."""
        try:
            now = _now()
            is_small = self._read(now) <= _FEW and now - self._woken_at < _SOON
            self._small_reads = self._small_reads + 1 if is_small else 0
            self._woken_at = now
            if not self._is_polling:
                self._schedule_deadline(now)
                return
            self._loop.remove_reader(self._socket.fileno())
            self._set_timer(_POLL_INTERVAL)
        except Exception as error:  # noqa: BLE001 -- `run` raises it
            self._fail(error)

    def _on_timer(self) -> None:
        """Poll the socket, or handle a deadline."""
        try:
            self._timer = None
            now = _now()
            count = self._read(now) if self._is_polling else 0
            self._pass_on(self._datagrams.due(now))
            if count:
                self._set_timer(_POLL_INTERVAL)
                return
            if self._is_polling:
                self._wait_for_events()
            self._schedule_deadline(now)
        except Exception as error:  # noqa: BLE001 -- `run` raises it
            self._fail(error)

    def _read(self, now: int) -> int:
        """Read the waiting datagrams. Returns: their number."""
        events: list[Event] = []
        count = 0
        for datagram, sender in self._waiting():
            events += self._datagrams.push(datagram, sender, now)
            count += 1
        self._pass_on(events)
        return count

    def _waiting(self) -> Iterator[tuple[bytes, Address]]:
        for _ in range(_BATCH):
            try:
                size, sender = self._socket.recvfrom_into(self._buffer)
            except BlockingIOError:
                return
            except OSError:
                # Perhaps an ICMP message; the socket stays usable.
                continue
            yield bytes(self._view[:size]), sender

    def _schedule_deadline(self, now: int) -> None:
        deadline = self._datagrams.deadline
        if deadline is not None and (self._timer is None or deadline < self._due):
            self._set_timer(max(deadline - now, 0) / 1e6)
            self._due = deadline

    def _set_timer(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(seconds, self._on_timer)

    def _fail(self, error: Exception) -> None:
        if not self._failed.done():
            self._failed.set_exception(error)

    def _pass_on(self, events: list[Event]) -> None:
        """Pass events to the sink; payloads that arrived together in one piece."""
        data: list[bytes] = []
        for event in events:
            if isinstance(event, PayloadReceived):
                data.append(event.data)
                continue
            self._pass_on_bytes(data)
            data = []
            match event:
                case SenderStarted(peer):
                    self._problems.clear()
                    self._sink.connected(Container.TS, peer)
                case SenderEnded(reason):
                    self._sink.disconnected(reason)
                case DatagramIgnored(problem):
                    self._problems.report(problem)
        self._pass_on_bytes(data)

    def _pass_on_bytes(self, data: list[bytes]) -> None:
        if data:
            self._sink.received(b"".join(data) if len(data) > 1 else data[0])


def _now() -> int:
    return int(monotonic() * 1e6)


def _reason(error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return listen_problem(error)
    return error.strerror or str(error)
