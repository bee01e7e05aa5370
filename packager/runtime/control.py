"""What the packager does on order: a Unix socket in the data folder, behind the control API."""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import msgspec
from aiohttp import web

from packager.errors import DiskError
from packager.events import decode_order, said
from packager.layout import CONTROL
from packager.listening import control_address
from packager.runtime.channel import Channel

_PATH = "/api/channels/{channel}/events/{event}"
_LONGEST = 4096
"""Bytes of an order."""


class Control:
    """Takes orders for channels."""

    def __init__(self, channels: Mapping[str, Channel]) -> None:
        """`channels` may come and go."""
        self._channels = channels

    def application(self) -> web.Application:
        """What the socket serves."""
        application = web.Application(client_max_size=_LONGEST)
        application.router.add_put(_PATH, self._put)
        application.router.add_delete(_PATH, self._delete)
        return application

    async def _put(self, request: web.Request) -> web.Response:
        channel = self._channel(request)
        try:
            event = channel.set_event(
                request.match_info["event"], decode_order(await request.read())
            )
        except DiskError as error:
            return _answer(503, {"error": str(error)})
        except ValueError as error:
            return _answer(400, {"error": str(error)})
        return _answer(200, said(event))

    async def _delete(self, request: web.Request) -> web.Response:
        try:
            if not self._channel(request).remove_event(request.match_info["event"]):
                return _answer(404, {"error": "no such event"})
        except DiskError as error:
            return _answer(503, {"error": str(error)})
        return _answer(200, {})

    def _channel(self, request: web.Request) -> Channel:
        channel = self._channels.get(request.match_info["channel"])
        if channel is None:
            raise web.HTTPNotFound(
                body=msgspec.json.encode({"error": "no such channel at work"}),
                content_type="application/json",
            )
        return channel


def _answer(status: int, body: object) -> web.Response:
    return web.Response(
        status=status, body=msgspec.json.encode(body), content_type="application/json"
    )


async def listen(control: Control, data: Path) -> web.AppRunner:
    """Serve `control` below the data folder; what is given back ends it.

    Raises:
        OSError: the socket cannot be had.
    """
    with suppress(FileNotFoundError):
        (data / CONTROL).unlink()
    runner = web.AppRunner(control.application(), access_log=None)
    await runner.setup()
    with control_address(data) as path:
        await web.UnixSite(runner, path).start()
    (data / CONTROL).chmod(0o600)
    return runner
