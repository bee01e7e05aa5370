"""Readers of the control port: the status of all channels, and the traffic of viewers."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from packager.diagnostics.status import FeedStatus


class ChannelRow(msgspec.Struct, frozen=True, kw_only=True):
    """The fields of a channel's status that the terminal view shows."""

    name: str
    state: str = "unknown"
    source: str = ""
    ladder: str = ""
    problem: str = ""
    problem_at: str | None = None
    """ISO 8601, in UTC."""
    restarts: int = 0
    speed: float | None = None
    lag_ms: int | None = None
    drift_ms: int | None = None
    live_edge_age: float | None = None
    feeds: tuple[FeedStatus, ...] = ()


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """The status of the service."""

    version: str = ""
    now: str = ""
    channels: tuple[ChannelRow, ...] = ()


@dataclass(frozen=True, slots=True)
class Counts:
    """Requests for a channel and bytes sent since the service started."""

    requests: float = 0
    size: float = 0
    """Bytes."""


@dataclass(frozen=True, slots=True)
class Traffic:
    """The counts of all channels at an instant."""

    at: float
    """Monotonic seconds."""
    counts: Mapping[str, Counts]
    """By channel."""


@dataclass(frozen=True, slots=True)
class Rate:
    """The traffic of a channel."""

    requests: float
    """Per second."""
    bits: float
    """Per second."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The state of the service at an instant."""

    status: Status
    rates: Mapping[str, Rate]
    problem: str = ""
    """Why there is no newer snapshot, in one line."""


def read_status(data: bytes) -> Status:
    """The response of `/api/status`.

    Raises:
        msgspec.DecodeError: `data` is not a status.
    """
    return msgspec.json.decode(data, type=Status)


_SERIES = re.compile(
    r'^ringside_(requests|sent_bytes)_total\{[^}\n]*?\bchannel="([^"\n]{1,64})"[^}\n]*\}'
    r" ([0-9]{1,20}(?:\.[0-9]{1,20})?(?:e\+[0-9]{1,2})?)$",
    re.MULTILINE,
)


def read_traffic(text: str, at: float) -> Traffic:
    """The traffic in the response of `/metrics`, read at `at`."""
    sums: dict[str, dict[str, float]] = {}
    for kind, channel, value in _SERIES.findall(text):
        of_channel = sums.setdefault(channel, {"requests": 0.0, "sent_bytes": 0.0})
        of_channel[kind] += float(value)
    return Traffic(
        at, {name: Counts(one["requests"], one["sent_bytes"]) for name, one in sums.items()}
    )


def rates(before: Traffic | None, after: Traffic) -> dict[str, Rate]:
    """The rates by channel between two readings, without channels whose counters restarted."""
    if before is None or (seconds := after.at - before.at) <= 0:
        return {}
    found: dict[str, Rate] = {}
    for name, new in after.counts.items():
        old = before.counts.get(name, Counts())
        if new.requests >= old.requests and new.size >= old.size:
            requests, size = new.requests - old.requests, new.size - old.size
            found[name] = Rate(requests / seconds, 8 * size / seconds)
    return found
