"""Orders to a running packager, through the control API."""

import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPException
from typing import TypeVar

import msgspec

from packager.config.secret import Secret
from packager.errors import SetupError
from packager.layout import is_name
from packager.timeline.events import EventStatus, UnknownEventError, instant

_PATIENCE = 10
"""Seconds."""
_MOST = 64 << 20
"""Bytes of a response: a longer one is cut off, and then cannot be decoded."""
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
"""The proxies of the environment are for the internet, not for this machine."""
_STRANGE = "the response is not from Ringside, or was cut off"
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class ControlPort:
    """A control port."""

    base: str
    """URL."""
    token: Secret | None = None
    """Its control token."""


def listed(port: ControlPort, channel: str) -> list[str]:
    """A line for each event of a channel.

    Raises:
        SetupError: the port does not answer, or there is no such channel.
    """
    channel = _named(channel, "a channel's")
    data = _ask(port, "GET", f"/api/channels/{channel}/events")
    return [_line(event) for event in _decoded(data, list[EventStatus])]


def give(port: ControlPort, channel: str, event: str, options: Mapping[str, object]) -> str:
    """Carry out the order of a command with these options; returns a line about the event.

    Raises:
        UnknownEventError: there is no such event to end or to remove.
        SetupError: the order was refused, or the port does not answer.
    """
    channel, event = _named(channel, "a channel's"), _named(event, "an event's")
    path = f"/api/channels/{channel}/events/{event}"
    match options["order"]:
        case "start":
            order = {"start": _time(options["at"], "--at") or "begun"}
            if options["end"] is not None:
                order["end"] = _time(options["end"], "--end")
            if options["pin"] is not None:
                order["pinned"] = options["pin"]
        case "end":
            order = {"end": _time(options["at"], "--at") or "now"}
        case _:
            _ask(port, "DELETE", path)
            return f"{event}: removed"
    return _line(_decoded(_ask(port, "PUT", path, msgspec.json.encode(order)), EventStatus))


def fetch(port: ControlPort, path: str) -> bytes:
    """The body of the response for `path`.

    Raises:
        SetupError: the port does not answer, or refuses.
    """
    return _ask(port, "GET", path)


def _named(name: str, whose: str) -> str:
    if not is_name(name):
        raise SetupError(f"{whose} name is at most 32 of a-z, 0-9, - and _, got {name!r}")
    return name


def _time(value: object, option: str) -> object:
    """The value of an option, once it is known to be a time."""
    if isinstance(value, str) and value != "now":
        try:
            instant(value)
        except ValueError as error:
            raise SetupError(f"{option} {error}") from error
    return value


def _line(event: EventStatus) -> str:
    pinned = ", pinned" if event.pinned else ""
    return f"{event.name}: {event.start} to {event.end or '...'}{pinned}"


def _ask(port: ControlPort, method: str, path: str, body: bytes | None = None) -> bytes:
    url = f"{port.base}{path}"
    request = urllib.request.Request(url, data=body, method=method)  # noqa: S310 - http alone
    request.add_header("Content-Type", "application/json")
    if port.token is not None:
        # A redirect must not send the token to another server.
        request.add_unredirected_header(
            "Authorization", f"Bearer {port.token.value.decode('ascii')}"
        )
    try:
        with _DIRECT.open(request, timeout=_PATIENCE) as response:
            return bytes(response.read(_MOST))
    except urllib.error.HTTPError as error:
        with error:
            reason = _reason(error) or f"{url}: {error}"
        if reason == str(UnknownEventError()):
            raise UnknownEventError from error
        raise SetupError(reason) from error
    except OSError as error:
        why = error.reason if isinstance(error, urllib.error.URLError) else error
        words = why.strerror if isinstance(why, OSError) and why.strerror else str(why)
        raise SetupError(f"{url}: {words.lower()}") from error
    except HTTPException as error:
        raise SetupError(f"{url}: {_STRANGE}") from error


def _reason(error: urllib.error.HTTPError) -> str:
    try:
        body = msgspec.json.decode(error.read(), type=dict[str, str])
    except (OSError, HTTPException, msgspec.DecodeError):
        return ""
    return body.get("error", "")


def _decoded(data: bytes, kind: type[_T]) -> _T:
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.DecodeError as error:
        raise SetupError(f"the control port: {_STRANGE}") from error
