"""Where encoders find us: the listeners that all channels share, and a line for each source."""

import asyncio
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Self, assert_never

from packager.listening import listen_at
from packager.runtime.sources.cmaf import CmafDoors, routes
from packager.runtime.sources.doors import Busy, Doors
from packager.runtime.sources.line import Line, Taker
from packager.runtime.sources.lines import line_of
from packager.runtime.sources.push import IngestHttp
from packager.runtime.sources.rtmp import RtmpServer
from packager.runtime.sources.tls import server_context
from packager.secret import Secret
from packager.source import (
    CmafSource,
    Fed,
    HlsSource,
    IngestConfig,
    PushSource,
    RtmpSource,
    Source,
    SrtSource,
    UdpSource,
)


def check_ports(config: IngestConfig, sources: Iterable[Source]) -> None:
    """See that the ports that `sources` need can be had.

    Raises:
        SetupError: one cannot.
    """
    for port in _ports(config, {type(source) for source in sources}):
        listen_at(config.host, port).close()


def _ports(config: IngestConfig, kinds: AbstractSet[type[Source]]) -> Iterator[int]:
    if RtmpSource in kinds:
        yield config.rtmp_port
        if config.rtmps_port is not None:
            yield config.rtmps_port
    if kinds & {PushSource, CmafSource}:
        yield config.http_port


class DoorLine:
    """The line of a source whose encoders come to a port of all channels, with a key."""

    def __init__(self, doors: Doors, key: Secret, busy: Busy) -> None:
        """Open a door for `key`."""
        self._doors = doors
        self._key = key
        self._busy = busy

    async def run(self, taker: Taker) -> None:
        """See `Line`."""
        self._doors.add(self._key, taker, self._busy)
        try:
            await asyncio.Event().wait()
        finally:
            self._doors.remove(self._key)


class Ingest:
    """The listeners of a configuration; open in an `async with`."""

    def __init__(self, config: IngestConfig, sources: Iterable[Source], program: str) -> None:
        """Open what `sources` need; `program` is ffmpeg."""
        self._config = config
        self._program = program
        self._kinds = {type(source) for source in sources}
        self.rtmp = Doors()
        self.http = Doors()
        self.cmaf = CmafDoors()
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Listen.

        Raises:
            SetupError: a port or the certificate cannot be used.
        """
        try:
            await self._open()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def _open(self) -> None:
        config = self._config
        if RtmpSource in self._kinds:
            server = RtmpServer(config.host, config.rtmp_port, self.rtmp)
            await self._stack.enter_async_context(server)
            if config.rtmps_port is not None:
                files = Path(config.certificate or ""), Path(config.certificate_key or "")
                tls = server_context(*files)
                server = RtmpServer(config.host, config.rtmps_port, self.rtmp, tls=tls)
                await self._stack.enter_async_context(server)
        if self._kinds & {PushSource, CmafSource}:
            http = IngestHttp(config.host, config.http_port, self.http)
            http.add_routes(routes(self.cmaf))
            await http.start()
            self._stack.push_async_callback(http.stop)

    def line(self, source: Fed) -> Line:
        """The line of a source."""
        match source:
            case RtmpSource():
                return DoorLine(self.rtmp, source.key, Busy(source.busy))
            case PushSource():
                return DoorLine(self.http, source.key, Busy(source.busy))
            case SrtSource() | UdpSource() | HlsSource():
                return line_of(source, self._program)
            case _:
                assert_never(source)
