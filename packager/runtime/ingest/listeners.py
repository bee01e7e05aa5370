"""The ports that all channels share, and the receiver of each source."""

import asyncio
from collections.abc import Iterable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Self, assert_never

from packager.config.secret import Secret
from packager.config.sources import (
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
from packager.runtime.ingest import pull
from packager.runtime.ingest.cmaf_push import CmafKeys, routes
from packager.runtime.ingest.http_push import IngestHttp
from packager.runtime.ingest.receiver import FeedSink, Receiver
from packager.runtime.ingest.rtmp import RtmpServer
from packager.runtime.ingest.stream_keys import BusyKeyPolicy, StreamKeys
from packager.runtime.ingest.tls import server_context


class KeyedReceiver:
    """Receives from encoders that use a shared port and a stream key."""

    def __init__(self, keys: StreamKeys, key: Secret, busy: BusyKeyPolicy) -> None:
        """`key` is registered in `keys` while the receiver runs."""
        self._keys = keys
        self._key = key
        self._busy = busy

    async def run(self, sink: FeedSink) -> None:
        """See `Receiver`."""
        self._keys.add(self._key, sink, self._busy)
        try:
            await asyncio.Event().wait()
        finally:
            self._keys.remove(self._key)


class IngestPorts:
    """The shared ports of a configuration; open within an `async with`."""

    def __init__(self, config: IngestConfig, sources: Iterable[Source], program: str) -> None:
        """Open the ports for `sources`; `program` is ffmpeg."""
        self._config = config
        self._program = program
        self._kinds = {type(source) for source in sources}
        self.rtmp = StreamKeys()
        self.http = StreamKeys()
        self.cmaf = CmafKeys()
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

    def receiver_for(self, source: Fed) -> Receiver:
        """The receiver of a source."""
        match source:
            case RtmpSource():
                return KeyedReceiver(self.rtmp, source.key, BusyKeyPolicy(source.busy))
            case PushSource():
                return KeyedReceiver(self.http, source.key, BusyKeyPolicy(source.busy))
            case SrtSource() | UdpSource() | HlsSource():
                return pull.receiver_for(source, self._program)
            case _:
                assert_never(source)
