"""Transport streams in UDP and RTP packets, for this machine or for a multicast group."""

import asyncio
import errno
import socket
from collections.abc import Iterator

from packager.clock import monotonic
from packager.feed.container import Container
from packager.feed.datagrams import Address, Began, Came, Ended, Event, Ignored, Reception
from packager.runtime.sources.line import Taker
from packager.runtime.sources.once import Once
from packager.runtime.sources.udp_socket import addresses_of, open_port
from packager.source import UdpSource

_DATAGRAM = 1 << 16
_BATCH = 512
"""Datagrams taken at a time: a flood does not keep the others of this process waiting."""
_FEW = 2
"""Datagrams for which it is not worth to wake up."""
_PACED = 5_000
"""Microseconds: what comes sooner again comes at an even pace."""
_DRIPS = 8
"""So often in a row."""
_GATHERED = 0.01
"""Seconds between two looks at the socket then."""
_RETRY = 2.0
"""Seconds until a port or an interface that could not be had is tried again."""


class UdpLine:
    """Brings what is sent to a port, from one sender at a time."""

    def __init__(self, source: UdpSource) -> None:
        self._source = source

    async def run(self, taker: Taker) -> None:
        """Bring it to `taker` until cancelled."""
        once = Once(taker)
        while True:
            try:
                senders = await addresses_of(self._source.sender)
                opened = await open_port(self._source, senders)
            except OSError as error:
                once.trouble(f"udp port {self._source.port}: {_reason(error)}")
                await asyncio.sleep(_RETRY)
                continue
            with opened:
                await _Listening(opened, Reception(senders=senders), taker, once).run()


class _Listening:
    """An open socket, and what comes of its datagrams."""

    def __init__(
        self, opened: socket.socket, reception: Reception, taker: Taker, once: Once
    ) -> None:
        self._socket = opened
        self._descriptor = opened.fileno()
        self._reception = reception
        self._taker = taker
        self._once = once
        self._buffer = bytearray(_DATAGRAM)
        self._view = memoryview(self._buffer)
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0
        self._woken = 0
        self._dripping = 0
        self._failed: asyncio.Future[None] = self._loop.create_future()

    async def run(self) -> None:
        self._watch()
        try:
            await self._failed
        finally:
            self._loop.remove_reader(self._descriptor)
            if self._timer is not None:
                self._timer.cancel()
            self._tell(self._reception.end("the line is closed"))

    def _watch(self) -> None:
        self._dripping = 0
        self._loop.add_reader(self._descriptor, self._ready)

    def _ready(self) -> None:
        """Something has come. One by one, at an even pace, is dear: look in now and then then."""
        try:
            now = _now()
            few = self._take(now) <= _FEW and now - self._woken < _PACED
            self._dripping = self._dripping + 1 if few else 0
            self._woken = now
            if self._dripping < _DRIPS:
                self._arm(now)
                return
            self._loop.remove_reader(self._descriptor)
            self._wake(_GATHERED)
        except Exception as error:  # noqa: BLE001 -- `run` raises it
            self._fail(error)

    def _look(self) -> None:
        """Look in, or find something due."""
        try:
            self._timer = None
            now = _now()
            looking_in = self._dripping >= _DRIPS
            came = self._take(now) if looking_in else 0
            self._tell(self._reception.due(now))
            if came:
                self._wake(_GATHERED)
                return
            if looking_in:
                self._watch()
            self._arm(now)
        except Exception as error:  # noqa: BLE001 -- `run` raises it
            self._fail(error)

    def _take(self, now: int) -> int:
        """How many datagrams have come."""
        events: list[Event] = []
        count = 0
        for datagram, sender in self._datagrams():
            events += self._reception.push(datagram, sender, now)
            count += 1
        self._tell(events)
        return count

    def _datagrams(self) -> Iterator[tuple[bytes, Address]]:
        for _ in range(_BATCH):
            try:
                size, sender = self._socket.recvfrom_into(self._buffer)
            except BlockingIOError:
                return
            except OSError:
                # An ICMP message of somebody, perhaps; the socket goes on.
                continue
            yield bytes(self._view[:size]), sender

    def _arm(self, now: int) -> None:
        """Be woken when something is due."""
        deadline = self._reception.deadline
        if deadline is not None and (self._timer is None or deadline < self._due):
            self._wake(max(deadline - now, 0) / 1e6)
            self._due = deadline

    def _wake(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(seconds, self._look)

    def _fail(self, error: Exception) -> None:
        if not self._failed.done():
            self._failed.set_exception(error)

    def _tell(self, events: list[Event]) -> None:
        """Bytes that came together are taken together."""
        data: list[bytes] = []
        for event in events:
            if isinstance(event, Came):
                data.append(event.data)
                continue
            self._hand(data)
            data = []
            match event:
                case Began(peer):
                    self._once.over()
                    self._taker.connected(Container.TS, peer)
                case Ended(reason):
                    self._taker.disconnected(reason)
                case Ignored(problem):
                    self._once.trouble(problem)
        self._hand(data)

    def _hand(self, data: list[bytes]) -> None:
        if data:
            self._taker.received(b"".join(data) if len(data) > 1 else data[0])


def _now() -> int:
    return int(monotonic() * 1e6)


def _reason(error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return "is in use by another program"
    return error.strerror or str(error)
