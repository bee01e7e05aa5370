"""What the packager does on order: a Unix socket in the data folder, behind the control API."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import msgspec
from aiohttp import web

from packager.errors import DiskError
from packager.events import LONGEST_ORDER, UnknownEventError, decode_order, said
from packager.layout import CONTROL
from packager.listening import control_address
from packager.runtime.channel import Channel

_PATH = "/api/channels/{channel}/events/{event}"
_Order = Callable[[Channel, str, bytes], object]
"""What is done to the event of a channel that a body speaks of; gives back what to answer."""


class Control:
    """Takes orders for channels."""

    def __init__(self, channels: Mapping[str, Channel]) -> None:
        """`channels` may come and go."""
        self._channels = channels

    def application(self) -> web.Application:
        """What the socket serves."""
        application = web.Application(client_max_size=LONGEST_ORDER)
        application.router.add_put(_PATH, self._put)
        application.router.add_delete(_PATH, self._delete)
        return application

    async def _put(self, request: web.Request) -> web.Response:
        return self._done(request, _set, await request.read())

    async def _delete(self, request: web.Request) -> web.Response:
        return self._done(request, _remove, b"")

    def _done(self, request: web.Request, order: _Order, body: bytes) -> web.Response:
        channel = self._channels.get(request.match_info["channel"])
        if channel is None:
            return _refusal(404, "no such channel at work")
        try:
            return _answer(200, order(channel, request.match_info["event"], body))
        except UnknownEventError as error:
            return _refusal(404, str(error))
        except DiskError as error:
            return _refusal(503, str(error))
        except ValueError as error:
            return _refusal(400, str(error))


def _set(channel: Channel, event: str, body: bytes) -> object:
    return said(channel.set_event(event, decode_order(body)))


def _remove(channel: Channel, event: str, _: bytes) -> object:
    if not channel.remove_event(event):
        raise UnknownEventError
    return {}


def _refusal(status: int, reason: str) -> web.Response:
    return _answer(status, {"error": reason})


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
