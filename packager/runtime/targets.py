"""Where a feed can be sent: UDP, RTP, SRT, RTMP, HTTP.

A target sends one connection after the other. What cannot be reached, or goes away, is a
`FeedError`; it names the target without path and query, where keys are.
"""

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from struct import Struct
from typing import Protocol
from urllib.parse import SplitResult, urlsplit

import aiohttp

from packager.errors import FeedError, SetupError
from packager.feed.container import Container
from packager.feed.pace import PACKETS
from packager.feed.units import PACKET, TsCutter, is_packet
from packager.ffmpeg.progress import read_message
from packager.runtime.process import die_with_parent
from packager.units import quoted

DATAGRAM = PACKETS * PACKET
_PATIENCE = 10.0
"""Seconds for what was sent last to get there, and for a connection to be over."""
_LINGER = 0.5
"""Seconds from the last byte to the end of a connection that ffmpeg made.

Once it is over, a receiver of SRT forgets what it holds for its latency; and an RTMP server what it
has not read, where ffmpeg has not read its answers.
"""
_SAID = 4096
"""Bytes of ffmpeg's complaints that are kept."""
_TYPES = {Container.TS: "video/mp2t", Container.FLV: "video/x-flv"}


_FORMS = (
    "udp://host:port, rtp://host:port, srt://host:port, rtmp://host/live/key or "
    "http://host/push/key"
)


class Target(Protocol):
    """Sends the bytes of one connection after the other."""

    async def begin(self, container: Container) -> None:
        """Connect."""
        ...

    async def write(self, data: bytes, at: int) -> None:
        """Send what came at the instant `at`, in microseconds; waits for a slow receiver."""
        ...

    async def end(self) -> None:
        """End the connection, once all of it is sent."""
        ...

    async def abort(self) -> None:
        """Let go of everything at once."""
        ...


def target_of(url: str, program: str) -> Target:
    """The target that `url` names; `program` is ffmpeg.

    Raises:
        SetupError: none that is known.
    """
    try:
        split = urlsplit(url)
        has_place = bool(split.hostname) and split.port != 0
    except ValueError:
        raise SetupError(f"not a target: {quoted(url)}") from None
    if has_place:
        match split.scheme:
            case "udp" | "rtp" if split.port:
                return UdpTarget(split, is_rtp=split.scheme == "rtp")
            case "srt" | "rtmp" | "rtmps":
                return FfmpegTarget(split, program)
            case "http" | "https":
                return HttpTarget(split)
            case _:
                pass
    raise SetupError(f"not a target: {quoted(_shown(split))} (write {_FORMS})")


def _shown(split: SplitResult) -> str:
    """A target without what may be a key."""
    return f"{split.scheme}://{split.netloc.rpartition('@')[2]}"


_RTP = Struct(">BBHII")
_VERSION_2, _MP2T = 0x80, 33


@dataclass(slots=True)
class UdpTarget:
    """Datagrams of seven packets of a transport stream; with RTP headers (RFC 3550, RFC 2250)."""

    url: SplitResult
    is_rtp: bool
    _socket: socket.socket | None = None
    _cutter: TsCutter = field(default_factory=TsCutter)
    _sequence: int = 0
    _source: int = 0
    _address: tuple[object, ...] = ()

    async def begin(self, container: Container) -> None:
        """Find out where the host is."""
        if container is not Container.TS:
            raise SetupError(f"{_shown(self.url)}: UDP takes a transport stream, this is an FLV")
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(self.url.hostname, self.url.port, type=socket.SOCK_DGRAM)
            family, kind, protocol, _, address = found[0]
            self._socket = socket.socket(family, kind, protocol)
            self._socket.setblocking(False)  # noqa: FBT003 -- its name
            self._address = address
        except OSError as error:
            raise FeedError(f"{_shown(self.url)}: {error.strerror}") from error
        self._cutter = TsCutter()
        self._source = int.from_bytes(os.urandom(4))

    async def write(self, data: bytes, at: int) -> None:
        """Send the packets that are whole."""
        await self._send(self._cutter.push(data), at)

    async def _send(self, units: list[bytes], at: int) -> None:
        datagram = b""
        for unit in units:
            if not is_packet(unit):
                continue
            datagram += unit
            if len(datagram) == DATAGRAM:
                await self._send_one(datagram, at)
                datagram = b""
        if datagram:
            await self._send_one(datagram, at)

    async def _send_one(self, datagram: bytes, at: int) -> None:
        if self._socket is None:
            return
        if self.is_rtp:
            time = at * 9 // 100 % (1 << 32)
            head = _RTP.pack(_VERSION_2, _MP2T, self._sequence, time, self._source)
            self._sequence = (self._sequence + 1) % (1 << 16)
            datagram = head + datagram
        # Nobody there yet is no fault of a sender of datagrams.
        with contextlib.suppress(ConnectionRefusedError):
            loop = asyncio.get_running_loop()
            await loop.sock_sendto(self._socket, datagram, self._address)

    async def end(self) -> None:
        """Send what is left."""
        await self._send([self._cutter.rest()], 0)
        await self.abort()

    async def abort(self) -> None:
        """Close the socket."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


@dataclass(slots=True)
class FfmpegTarget:
    """What ffmpeg can reach: SRT, whose bytes it leaves, and RTMP, whose tags it writes anew.

    Over RTMP, timestamps that go back or wrap do not arrive as they were.
    """

    url: SplitResult
    program: str
    _process: asyncio.subprocess.Process | None = None
    _said: bytearray = field(default_factory=bytearray)
    _listening: "asyncio.Task[None] | None" = None

    async def begin(self, container: Container) -> None:
        """Start ffmpeg."""
        self._said.clear()
        self._process = await asyncio.create_subprocess_exec(
            self.program,
            *("-hide_banner", "-nostats", "-loglevel", "error"),
            *self._arguments(container),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            preexec_fn=die_with_parent,
        )
        self._listening = asyncio.create_task(self._listen(self._process))

    def _arguments(self, container: Container) -> list[str]:
        url = self.url.geturl()
        if self.url.scheme == "srt":
            # No demuxer and no muxer: the bytes as they are, in messages of seven packets.
            size = str(DATAGRAM)
            out = ["-map", "0", "-c", "copy", "-f", "data", "-flush_packets", "1"]
            return [
                *("-f", "data", "-raw_packet_size", size, "-i", "pipe:0"),
                *(*out, "-payload_size", size, url),
            ]
        quick = ["-probesize", "500000", "-analyzeduration", "1000000"]
        given = [*quick, "-copyts", "-f", container, "-i", "pipe:0"]
        kept = ["-map", "0:v?", "-map", "0:a?", "-c", "copy"]
        return [*given, *kept, "-f", "flv", "-flvflags", "no_duration_filesize", url]

    async def _listen(self, process: asyncio.subprocess.Process) -> None:
        while process.stderr is not None and (data := await process.stderr.read(_SAID)):
            self._said += data
            del self._said[_SAID:]

    async def write(self, data: bytes, at: int) -> None:
        """Give it to ffmpeg."""
        del at
        process = self._process
        if process is None or process.stdin is None:
            return
        try:
            process.stdin.write(data)
            await process.stdin.drain()
        except (BrokenPipeError, ConnectionResetError):
            raise await self._lost() from None

    async def _lost(self) -> FeedError:
        """Why ffmpeg went away."""
        await self._over()
        return FeedError(f"{_shown(self.url)}: {self._reason()}")

    def _reason(self) -> str:
        """What ffmpeg said first, without the address, which has the key in it."""
        said = self._said.decode(errors="replace").replace(self.url.geturl(), "the target")
        for part in (self.url.path, self.url.path.rpartition("/")[2], self.url.query):
            said = said.replace(part, "...") if len(part) > 1 else said
        messages = map(read_message, said.splitlines())
        return next((message.text for message in messages if message is not None), "it went away")

    async def _over(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        try:
            async with asyncio.timeout(_PATIENCE):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
        if self._listening is not None:
            await self._listening

    async def end(self) -> None:
        """Let ffmpeg send what it has, and see how it went."""
        process = self._process
        if process is None or process.stdin is None:
            return
        await asyncio.sleep(_LINGER)
        process.stdin.close()
        await self._over()
        if process.returncode:
            raise FeedError(f"{_shown(self.url)}: {self._reason()}")

    async def abort(self) -> None:
        """Kill it."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._over()


_QUEUE = 64
"""Pieces that wait for a slow receiver."""


@dataclass(slots=True)
class HttpTarget:
    """A PUT whose body lasts as long as the connection."""

    url: SplitResult
    _queue: "asyncio.Queue[bytes]" = field(default_factory=lambda: asyncio.Queue(_QUEUE))
    _request: "asyncio.Task[None] | None" = None

    async def begin(self, container: Container) -> None:
        """Begin the request."""
        self._queue = asyncio.Queue(_QUEUE)
        self._request = asyncio.create_task(self._put(container))

    async def _put(self, container: Container) -> None:
        patience = aiohttp.ClientTimeout(total=None, sock_connect=_PATIENCE)
        headers = {"Content-Type": _TYPES[container]}
        try:
            async with (
                aiohttp.ClientSession(timeout=patience) as session,
                session.put(self.url.geturl(), data=self._body(), headers=headers) as response,
            ):
                if response.status >= 300:  # noqa: PLR2004 -- nothing was taken
                    said = (await response.content.read(200)).decode(errors="replace").strip()
                    raise FeedError(f"{_shown(self.url)}: {response.status} {said}".strip())
        except (aiohttp.ClientError, OSError) as error:
            reason = getattr(error, "strerror", None) or type(error).__name__
            raise FeedError(f"{_shown(self.url)}: {reason}") from error

    async def _body(self) -> AsyncIterator[bytes]:
        while data := await self._queue.get():
            yield data

    async def write(self, data: bytes, at: int) -> None:
        """Put it into the body."""
        del at
        if data:
            await self._hand(data)

    async def _hand(self, data: bytes) -> None:
        """Wait for room, or for the request to be over."""
        request = self._request
        if request is None:
            return
        putting = asyncio.ensure_future(self._queue.put(data))
        try:
            await asyncio.wait((putting, request), return_when=asyncio.FIRST_COMPLETED)
            if request.done():
                await request
                raise FeedError(f"{_shown(self.url)}: it answered before the end")
        finally:
            putting.cancel()

    async def end(self) -> None:
        """End the body, and wait for the answer."""
        await self._hand(b"")
        if self._request is not None:
            try:
                async with asyncio.timeout(_PATIENCE):
                    await self._request
            except TimeoutError:
                raise FeedError(f"{_shown(self.url)}: no answer") from None
            finally:
                self._request = None

    async def abort(self) -> None:
        """Break the connection."""
        if self._request is not None:
            self._request.cancel()
            await asyncio.wait([self._request])
            self._request = None
