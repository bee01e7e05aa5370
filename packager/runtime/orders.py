"""Orders to a running packager, through the control API."""

import urllib.error
import urllib.request
from collections.abc import Mapping

import msgspec

from packager.errors import SetupError
from packager.events import EventSaid

_PATIENCE = 10
"""Seconds."""


def listed(base: str, channel: str) -> list[str]:
    """A line an event.

    Raises:
        SetupError: nobody answers, or there is no such channel.
    """
    data = _ask("GET", f"{base}/api/channels/{channel}/events")
    return [_line(event) for event in msgspec.json.decode(data, type=list[EventSaid])]


def give(base: str, channel: str, event: str, said: Mapping[str, object]) -> str:
    """Do what a command's arguments say; what there is to tell of it.

    Raises:
        SetupError: it was refused, or nobody answers.
    """
    url = f"{base}/api/channels/{channel}/events/{event}"
    match said["order"]:
        case "start":
            order = {"start": said["at"]}
            if said["end"]:
                order["end"] = said["end"]
            if said["pin"]:
                order["pinned"] = True
        case "end":
            order = {"end": said["at"]}
        case _:
            _ask("DELETE", url)
            return f"{event}: removed"
    data = _ask("PUT", url, msgspec.json.encode(order))
    return _line(msgspec.json.decode(data, type=EventSaid))


def _line(event: EventSaid) -> str:
    pinned = ", pinned" if event.pinned else ""
    return f"{event.name}: {event.start} to {event.end or '...'}{pinned}"


def _ask(method: str, url: str, body: bytes | None = None) -> bytes:
    request = urllib.request.Request(url, data=body, method=method)  # noqa: S310 - http alone
    request.add_header("Content-Type", "application/json")
    try:
        with urllib.request.urlopen(request, timeout=_PATIENCE) as answer:  # noqa: S310 - as above
            return bytes(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            raise SetupError(_reason(error.read()) or f"{url}: {error}") from error
    except OSError as error:
        raise SetupError(f"{url}: {getattr(error, 'reason', error)}") from error


def _reason(data: bytes) -> str:
    try:
        return str(msgspec.json.decode(data, type=dict[str, str]).get("error", ""))
    except msgspec.DecodeError:
        return ""
