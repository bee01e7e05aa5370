"""Somebody's HLS, fetched by an ffmpeg and brought as a transport stream at the pace of time."""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from http import HTTPStatus

import aiohttp

from packager.errors import FeedError
from packager.feed.container import Container
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
from packager.runtime.sources.bridge import carry
from packager.runtime.sources.line import Taker
from packager.runtime.sources.once import Once
from packager.source import HlsSource

_SHORTEST_WAIT = 0.5
_LONGEST_WAIT = 5.0
_REQUEST = 10.0
_HEADERS = {"User-Agent": "Ringside"}
_LARGEST = 4 << 20
"""Bytes of a playlist."""
_REDIRECTS = 5
_LEAST_PATIENCE = 10.0
_SEGMENTS_OF_PATIENCE = 3
_PAUSE = 1.0
"""Seconds without bytes that mean that nothing was left to send."""
_PAUSES = 3
"""So many within `_SOON` seconds, and the distance from the live edge is used up."""
_SOON = 120.0
_RAN_OUT = "what there was ahead is used up: beginning again behind the live edge"


class HlsLine:
    """Fetches a live presentation, from three segments behind its live edge on."""

    def __init__(self, source: HlsSource, program: str) -> None:
        """`program` is the ffmpeg that fetches."""
        self._url = source.url
        self._program = program
        self._growth = _Growth()

    async def run(self, taker: Taker) -> None:
        """Bring it to `taker` until cancelled."""
        once = Once(taker)
        wait = _SHORTEST_WAIT
        timeout = aiohttp.ClientTimeout(total=_REQUEST)
        any_name = await _takes_any_name(self._program)
        async with aiohttp.ClientSession(timeout=timeout, headers=_HEADERS) as session:
            while True:
                fetching = _Fetching(taker, once)
                try:
                    variant, live = await self._look(session)
                    told = partial(hls_arguments, variant, any_name=any_name)
                    await fetching.run(self._program, told, variant, live)
                except FeedError as error:
                    once.trouble(f"{without_secrets(self._url)}: {error}")
                if fetching.silent:
                    self._growth.doubt()
                if fetching.brought:
                    wait = _SHORTEST_WAIT
                await asyncio.sleep(wait)
                wait = min(2 * wait, _LONGEST_WAIT)

    async def _look(self, session: aiohttp.ClientSession) -> tuple[Variant, LivePlaylist]:
        """What there is, and that it is alive.

        Raises:
            FeedError: it is not.
        """
        text, url = await _get(session, self._url)
        variant = best_variant(text, url)
        if variant.url != url:
            text, url = await _get(session, variant.url)
        live = live_playlist(text, url)
        self._growth.check(live.newest)
        return variant, live


class _Growth:
    """Whether a playlist that had brought nothing new has something new."""

    def __init__(self) -> None:
        self._doubted = False
        self._newest: int | None = None

    def doubt(self) -> None:
        """It has to be seen to grow."""
        self._doubted, self._newest = True, None

    def check(self, newest: int) -> None:
        """Look at its last number.

        Raises:
            FeedError: it has not grown, as far as can be seen yet.
        """
        if self._doubted and self._newest in {None, newest}:
            self._newest = newest
            raise FeedError("the playlist does not grow")
        self._doubted = False


class _Fetching:
    """One run of ffmpeg."""

    def __init__(self, taker: Taker, once: Once) -> None:
        self._taker = taker
        self._once = once
        self._complaint = ""
        self._ran_out = False
        self._last = 0.0
        self._pauses = 0
        self._paused = 0.0
        self._patience = 0.0
        self._limit = asyncio.timeout(None)
        self._loop = asyncio.get_running_loop()
        self._peer = ""
        self.brought = False
        """Bytes have come."""
        self.silent = False
        """It was ended because none came any more."""

    async def run(
        self,
        program: str,
        told: Callable[[int], Sequence[str]],
        variant: Variant,
        live: LivePlaylist,
    ) -> None:
        """Fetch until it ends.

        Raises:
            FeedError: nothing came.
        """
        self._peer = host_of(variant.url)
        self._patience = max(_LEAST_PATIENCE, _SEGMENTS_OF_PATIENCE * live.target_duration)
        reason = "the line is closed"
        try:
            async with self._limit:
                self._limit.reschedule(self._loop.time() + self._patience)
                await carry(program, told, self._received, self._line)
            reason = self._complaint or "the presentation has ended"
        except TimeoutError:
            self.silent = not self._ran_out
            reason = self._silence() if self.silent else _RAN_OUT
        finally:
            if self.brought:
                self._taker.disconnected(reason)
        if not self.brought:
            raise FeedError(reason)

    def _silence(self) -> str:
        said = f"nothing new for {self._patience:.0f} s"
        return f"{said}: {self._complaint}" if self._complaint else said

    def _received(self, data: bytes) -> None:
        now = self._loop.time()
        if not self.brought:
            self.brought = True
            self._once.over()
            self._taker.connected(Container.TS, self._peer)
        elif now - self._last > _PAUSE:
            self._pause(now)
        self._last = now
        self._limit.reschedule(now if self._ran_out else now + self._patience)
        self._taker.received(data)

    def _pause(self, now: float) -> None:
        """Their clock is slower than ours, or their segments come late: too near to the edge."""
        self._pauses = self._pauses + 1 if now - self._paused < _SOON else 1
        self._paused = now
        self._ran_out = self._pauses >= _PAUSES

    def _line(self, line: str) -> None:
        self._complaint = self._complaint or read_hls(line) or ""


async def _get(session: aiohttp.ClientSession, url: str) -> tuple[str, str]:
    """The text at `url`, and where it was found in the end.

    Raises:
        FeedError: there is none.
    """
    data = bytearray()
    try:
        async with session.get(url, max_redirects=_REDIRECTS) as answer:
            if answer.status != HTTPStatus.OK:
                raise FeedError(f"HTTP status {answer.status}")
            async for piece in answer.content.iter_any():
                data += piece
                if len(data) > _LARGEST:
                    raise FeedError(f"a playlist longer than {_LARGEST >> 20} MiB")
            return data.decode(errors="replace"), str(answer.url)
    except TimeoutError:
        raise FeedError(f"no answer within {_REQUEST:.0f} s") from None
    except aiohttp.TooManyRedirects:
        raise FeedError(f"more than {_REDIRECTS} redirects") from None
    except aiohttp.NonHttpUrlClientError:
        raise FeedError("a redirect to something else than http and https") from None
    except aiohttp.ClientConnectorError as error:
        said = error.os_error.strerror or "no connection"
        raise FeedError(f"nobody answers: {said}") from None
    except aiohttp.ClientError as error:
        raise FeedError(f"no answer of HTTP: {type(error).__name__}") from None


async def _takes_any_name(program: str) -> bool:
    """Whether this ffmpeg has options for files without the usual names."""
    try:
        process = await asyncio.create_subprocess_exec(
            *(program, "-hide_banner", "-h", "demuxer=hls"),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
    except OSError:
        return False
    said, _ = await process.communicate()
    return b"-extension_picky" in said
