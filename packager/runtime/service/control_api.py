"""The orders that the packager takes: a Unix socket in the data folder, behind the control API."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import msgspec
from aiohttp import web

from packager.errors import DiskError
from packager.host.sockets import control_address
from packager.layout import CONTROL
from packager.timeline.events import (
    LONGEST_ORDER,
    EventOrder,
    UnknownEventError,
    decode_order,
    status_of,
)
from packager.timeline.records import EventSet

_PATH = "/api/channels/{channel}/events/{event}"


class EventOrders(Protocol):
    """Takes the orders for the events of one channel."""

    def set_event(self, name: str, order: EventOrder) -> EventSet:
        """Begin, change or end an event.

        Raises:
            ValueError: the order cannot be carried out.
            DiskError: the event could not be written.
        """
        ...

    def remove_event(self, name: str) -> bool:
        """Remove an event; False if it is unknown.

        Raises:
            DiskError: the removal could not be written.
        """
        ...


_Order = Callable[[EventOrders, str, bytes], object]
"""Carries out the order in a body for an event of a channel; returns the response's JSON."""


class ControlSocket:
    """Takes orders for channels."""

    def __init__(self, channels: Mapping[str, EventOrders]) -> None:
        """`channels` may change later: it has the channels that run."""
        self._channels = channels

    def application(self) -> web.Application:
        """The HTTP application behind the socket."""
        application = web.Application(client_max_size=LONGEST_ORDER)
        application.router.add_put(_PATH, self._put)
        application.router.add_delete(_PATH, self._delete)
        return application

    async def _put(self, request: web.Request) -> web.Response:
        return self._carry_out(request, _set, await request.read())

    async def _delete(self, request: web.Request) -> web.Response:
        return self._carry_out(request, _remove, b"")

    def _carry_out(self, request: web.Request, order: _Order, body: bytes) -> web.Response:
        channel = self._channels.get(request.match_info["channel"])
        if channel is None:
            return _refusal(404, "channel is not running")
        try:
            return _response(200, order(channel, request.match_info["event"], body))
        except UnknownEventError as error:
            return _refusal(404, str(error))
        except DiskError as error:
            return _refusal(503, str(error))
        except ValueError as error:
            return _refusal(400, str(error))


def _set(channel: EventOrders, event: str, body: bytes) -> object:
    return status_of(channel.set_event(event, decode_order(body)))


def _remove(channel: EventOrders, event: str, _: bytes) -> object:
    if not channel.remove_event(event):
        raise UnknownEventError
    return {}


def _refusal(status: int, reason: str) -> web.Response:
    return _response(status, {"error": reason})


def _response(status: int, body: object) -> web.Response:
    return web.Response(
        status=status, body=msgspec.json.encode(body), content_type="application/json"
    )


async def listen(control: ControlSocket, data: Path) -> web.AppRunner:
    """Serve `control` below the data folder until the returned runner is cleaned up.

    Raises:
        OSError: the socket cannot be made.
    """
    with suppress(FileNotFoundError):
        (data / CONTROL).unlink()
    runner = web.AppRunner(control.application(), access_log=None)
    await runner.setup()
    with control_address(data) as path:
        await web.UnixSite(runner, path).start()
    (data / CONTROL).chmod(0o600)
    return runner
