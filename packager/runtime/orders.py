"""Orders to a running packager, through the control API."""

import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPException
from typing import TypeVar

import msgspec

from packager.errors import SetupError
from packager.events import EventSaid, UnknownEventError, instant
from packager.layout import is_name
from packager.secret import Secret

_PATIENCE = 10
"""Seconds."""
_MOST = 64 << 20
"""Bytes of an answer: what is longer is cut off, and makes no sense then."""
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
"""The environment's proxies lead to the world, not to this machine."""
_STRANGE = "what answers there is no Ringside, or broke off"
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class ControlPort:
    """Where orders go."""

    base: str
    """URL."""
    token: Secret | None = None
    """What it wants to be shown."""


def listed(port: ControlPort, channel: str) -> list[str]:
    """A line an event.

    Raises:
        SetupError: nobody answers, or there is no such channel.
    """
    channel = _named(channel, "a channel's")
    data = _ask(port, "GET", f"/api/channels/{channel}/events")
    return [_line(event) for event in _decoded(data, list[EventSaid])]


def give(port: ControlPort, channel: str, event: str, said: Mapping[str, object]) -> str:
    """Do what a command's arguments say; what there is to tell of it.

    Raises:
        UnknownEventError: there is none to end or to remove.
        SetupError: it was refused, or nobody answers.
    """
    channel, event = _named(channel, "a channel's"), _named(event, "an event's")
    path = f"/api/channels/{channel}/events/{event}"
    match said["order"]:
        case "start":
            order = {"start": _time(said["at"], "--at") or "begun"}
            if said["end"] is not None:
                order["end"] = _time(said["end"], "--end")
            if said["pin"] is not None:
                order["pinned"] = said["pin"]
        case "end":
            order = {"end": _time(said["at"], "--at") or "now"}
        case _:
            _ask(port, "DELETE", path)
            return f"{event}: removed"
    return _line(_decoded(_ask(port, "PUT", path, msgspec.json.encode(order)), EventSaid))


def said(port: ControlPort, path: str) -> bytes:
    """What is there to read at `path`.

    Raises:
        SetupError: nobody answers, or the answer is a refusal.
    """
    return _ask(port, "GET", path)


def _named(name: str, whose: str) -> str:
    if not is_name(name):
        raise SetupError(f"{whose} name is at most 32 of a-z, 0-9, - and _, got {name!r}")
    return name


def _time(said: object, option: str) -> object:
    """What an option says, once that is known to be a time."""
    if isinstance(said, str) and said != "now":
        try:
            instant(said)
        except ValueError as error:
            raise SetupError(f"{option} {error}") from error
    return said


def _line(event: EventSaid) -> str:
    pinned = ", pinned" if event.pinned else ""
    return f"{event.name}: {event.start} to {event.end or '...'}{pinned}"


def _ask(port: ControlPort, method: str, path: str, body: bytes | None = None) -> bytes:
    url = f"{port.base}{path}"
    request = urllib.request.Request(url, data=body, method=method)  # noqa: S310 - http alone
    request.add_header("Content-Type", "application/json")
    if port.token is not None:
        # Not to where whatever answers there may redirect to.
        request.add_unredirected_header(
            "Authorization", f"Bearer {port.token.octets.decode('ascii')}"
        )
    try:
        with _DIRECT.open(request, timeout=_PATIENCE) as answer:
            return bytes(answer.read(_MOST))
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
        said = msgspec.json.decode(error.read(), type=dict[str, str])
    except (OSError, HTTPException, msgspec.DecodeError):
        return ""
    return said.get("error", "")


def _decoded(data: bytes, kind: type[_T]) -> _T:
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.DecodeError as error:
        raise SetupError(f"the control port: {_STRANGE}") from error
