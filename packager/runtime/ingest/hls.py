"""Receives a live HLS presentation: an ffmpeg fetches it, in real time, as a transport stream."""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from http import HTTPStatus

import aiohttp

from packager.config.sources import HlsSource
from packager.errors import FeedError
from packager.feed.report import Container
from packager.ffmpeg.hls import (
    LivePlaylist,
    Variant,
    best_variant,
    hls_arguments,
    host_of,
    live_playlist,
    read_hls,
    without_secrets,
)
from packager.runtime.ingest.ffmpeg_pull import relay
from packager.runtime.ingest.receiver import FeedSink, ProblemReporter
from packager.timing.backoff import Backoff

_MIN_WAIT = 0.5
_MAX_WAIT = 5.0
_REQUEST_TIMEOUT = 10.0
_HEADERS = {"User-Agent": "Ringside"}
_MAX_PLAYLIST_SIZE = 4 << 20
_MAX_REDIRECTS = 5
_MIN_PATIENCE = 10.0
_PATIENCE_SEGMENTS = 3
_PAUSE = 1.0
"""Seconds without bytes that mean that ffmpeg had no media left to send."""
_MAX_PAUSES = 3
"""With so many pauses within `_PAUSE_WINDOW`, the distance from the live edge is used up."""
_PAUSE_WINDOW = 120.0
_RAN_OUT = "no media left before the live edge: starting again, three segments behind it"


class HlsReceiver:
    """Fetches a live presentation, from three segments behind its live edge on."""

    def __init__(self, source: HlsSource, program: str) -> None:
        """`program` is ffmpeg."""
        self._url = source.url
        self._program = program
        self._growth = _GrowthCheck()

    async def run(self, sink: FeedSink) -> None:
        """See `Receiver`."""
        problems = ProblemReporter(sink)
        backoff = Backoff(_MIN_WAIT, _MAX_WAIT)
        timeout = aiohttp.ClientTimeout(total=_REQUEST_TIMEOUT)
        any_name = await _accepts_any_name(self._program)
        async with aiohttp.ClientSession(timeout=timeout, headers=_HEADERS) as session:
            while True:
                fetch = _Fetch(sink, problems)
                try:
                    variant, live = await self._read_playlists(session)
                    arguments = partial(hls_arguments, variant, any_name=any_name)
                    await fetch.run(self._program, arguments, variant, live)
                except FeedError as error:
                    problems.report(f"{without_secrets(self._url)}: {error}")
                if fetch.went_silent:
                    self._growth.require()
                if fetch.connected:
                    backoff.reset()
                await asyncio.sleep(backoff.step())

    async def _read_playlists(self, session: aiohttp.ClientSession) -> tuple[Variant, LivePlaylist]:
        """The best variant and its live playlist.

        Raises:
            FeedError: there is no live presentation.
        """
        text, url = await _get(session, self._url)
        variant = best_variant(text, url)
        if variant.url != url:
            text, url = await _get(session, variant.url)
        live = live_playlist(text, url)
        self._growth.check(live.newest)
        return variant, live


class _GrowthCheck:
    """After a silent fetch: whether the playlist has new segments."""

    def __init__(self) -> None:
        self._required = False
        self._newest: int | None = None

    def require(self) -> None:
        """Require that the playlist grows before the next fetch."""
        self._required, self._newest = True, None

    def check(self, newest: int) -> None:
        """Check the last segment number of the playlist.

        Raises:
            FeedError: growth is required, and the playlist has not grown yet.
        """
        if self._required and self._newest in {None, newest}:
            self._newest = newest
            raise FeedError("the playlist does not grow")
        self._required = False


class _Fetch:
    """One run of ffmpeg."""

    def __init__(self, sink: FeedSink, problems: ProblemReporter) -> None:
        self._sink = sink
        self._problems = problems
        self._message = ""
        """The first warning or error of ffmpeg."""
        self._ran_out = False
        self._last_byte_at = 0.0
        self._pauses = 0
        self._paused_at = 0.0
        self._patience = 0.0
        self._limit = asyncio.timeout(None)
        self._loop = asyncio.get_running_loop()
        self._peer = ""
        self.connected = False
        """Bytes have arrived."""
        self.went_silent = False
        """The fetch was ended because no more bytes arrived."""

    async def run(
        self,
        program: str,
        arguments: Callable[[int], Sequence[str]],
        variant: Variant,
        live: LivePlaylist,
    ) -> None:
        """Fetch until the presentation ends or falls silent.

        Raises:
            FeedError: no bytes arrived.
        """
        self._peer = host_of(variant.url)
        self._patience = max(_MIN_PATIENCE, _PATIENCE_SEGMENTS * live.target_duration)
        reason = "the receiver is closed"
        try:
            async with self._limit:
                self._limit.reschedule(self._loop.time() + self._patience)
                await relay(program, arguments, self._received, self._read_line)
            reason = self._message or "the presentation has ended"
        except TimeoutError:
            self.went_silent = not self._ran_out
            reason = self._silence_reason() if self.went_silent else _RAN_OUT
        finally:
            if self.connected:
                self._sink.disconnected(reason)
        if not self.connected:
            raise FeedError(reason)

    def _silence_reason(self) -> str:
        reason = f"nothing new for {self._patience:.0f} s"
        return f"{reason}: {self._message}" if self._message else reason

    def _received(self, data: bytes) -> None:
        now = self._loop.time()
        if not self.connected:
            self.connected = True
            self._problems.clear()
            self._sink.connected(Container.TS, self._peer)
        elif now - self._last_byte_at > _PAUSE:
            self._count_pause(now)
        self._last_byte_at = now
        self._limit.reschedule(now if self._ran_out else now + self._patience)
        self._sink.received(data)

    def _count_pause(self, now: float) -> None:
        """Detect a slow clock or late segments upstream: the fetch is too near the live edge."""
        self._pauses = self._pauses + 1 if now - self._paused_at < _PAUSE_WINDOW else 1
        self._paused_at = now
        self._ran_out = self._pauses >= _MAX_PAUSES

    def _read_line(self, line: str) -> None:
        self._message = self._message or read_hls(line) or ""


async def _get(session: aiohttp.ClientSession, url: str) -> tuple[str, str]:
    """The text at `url`, and its URL after redirects.

    Raises:
        FeedError: the text cannot be fetched.
    """
    data = bytearray()
    try:
        async with session.get(url, max_redirects=_MAX_REDIRECTS) as response:
            if response.status != HTTPStatus.OK:
                raise FeedError(f"HTTP status {response.status}")
            async for piece in response.content.iter_any():
                data += piece
                if len(data) > _MAX_PLAYLIST_SIZE:
                    raise FeedError(f"a playlist longer than {_MAX_PLAYLIST_SIZE >> 20} MiB")
            return data.decode(errors="replace"), str(response.url)
    except TimeoutError:
        raise FeedError(f"no response within {_REQUEST_TIMEOUT:.0f} s") from None
    except aiohttp.TooManyRedirects:
        raise FeedError(f"more than {_MAX_REDIRECTS} redirects") from None
    except aiohttp.NonHttpUrlClientError:
        raise FeedError("a redirect to a URL that is neither http nor https") from None
    except aiohttp.ClientConnectorError as error:
        reason = error.os_error.strerror or "no connection"
        raise FeedError(f"the server cannot be reached: {reason}") from None
    except aiohttp.ClientError as error:
        raise FeedError(f"the server's response is not HTTP: {type(error).__name__}") from None


async def _accepts_any_name(program: str) -> bool:
    """Whether this ffmpeg has options for segments without the usual file names."""
    try:
        process = await asyncio.create_subprocess_exec(
            *(program, "-hide_banner", "-h", "demuxer=hls"),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
    except OSError:
        return False
    options, _ = await process.communicate()
    return b"-extension_picky" in options
