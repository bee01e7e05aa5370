"""Events: named stretches of a channel's timeline, and the orders that change them."""

from collections.abc import Mapping
from hashlib import blake2b

import msgspec
from msgspec import UNSET, UnsetType

from packager.errors import RingsideError
from packager.timeline.records import EventSet
from packager.timing.ticks import MICROS, UtcMicros, iso8601, parse_iso8601
from packager.track import TRACK_ID

MOST = 1000
"""Maximum count of a channel's events."""
LONGEST_ORDER = 4096
"""Maximum bytes of an order."""
_FAR = 10**10 * MICROS
"""2286-11-20T17:46:40Z: no URL of a view can name a later time."""


class UnknownEventError(RingsideError):
    """An order for an event that does not exist."""

    def __init__(self) -> None:
        super().__init__("no such event")


class EventOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A change of an event; fields that are left out keep their value."""

    start: str | UnsetType = UNSET
    """ISO 8601, `now`, or `begun`: now, unless it has begun already. A new event starts now."""
    end: str | UnsetType | None = UNSET
    """ISO 8601, or `now`; null while the end is not known."""
    pinned: bool | UnsetType = UNSET


class EventStatus(msgspec.Struct, frozen=True, kw_only=True):
    """An event, as the control API returns it."""

    name: str
    start: str
    end: str | None
    pinned: bool


def decode_order(data: bytes) -> EventOrder:
    """The order in a JSON text.

    Raises:
        ValueError: the text is not an order.
    """
    return msgspec.json.decode(data, type=EventOrder)


def ordered(
    name: str, order: EventOrder, events: Mapping[str, EventSet], now: UtcMicros
) -> EventSet:
    """The event `name` after `order`.

    Raises:
        ValueError: the order cannot be applied.
        UnknownEventError: the order ends an event that does not exist.
    """
    if TRACK_ID.fullmatch(name) is None:
        raise ValueError("an event's name is at most 32 of a-z, 0-9, - and _")
    known = events.get(name)
    if known is None and order.start is UNSET and order.end is not UNSET:
        raise UnknownEventError
    if known is None and len(events) >= MOST:
        raise ValueError(f"the channel has {MOST} events already: remove one first")
    start = known.start if known else now
    end = known.end if known else None
    pinned = known.pinned if known else False
    if order.start is not UNSET:
        start = min(start, now) if order.start == "begun" else _parse_instant(order.start, now)
    if order.end is not UNSET:
        end = None if order.end is None else _parse_instant(order.end, now)
    if order.pinned is not UNSET:
        pinned = order.pinned
    if end is not None and end <= start:
        raise ValueError(f"it would end at {iso8601(end)}, which is not after {iso8601(start)}")
    return EventSet(name, start, end, pinned)


def _parse_instant(text: str, now: UtcMicros) -> UtcMicros:
    return now if text == "now" else instant(text)


def instant(text: str) -> UtcMicros:
    """The instant of an ISO 8601 text, at which an event may start or end.

    Raises:
        ValueError: the text is not ISO 8601, or no view can show the instant.
    """
    named = parse_iso8601(text)
    if not 0 <= named < _FAR:
        raise ValueError(f"{text!r}: not between the years 1970 and 2286")
    return named


def schedule_of(event: EventSet) -> str:
    """The digest of a schedule's entry for `event`."""
    return blake2b(msgspec.json.encode(event), digest_size=8).hexdigest()


def status_of(event: EventSet) -> EventStatus:
    """`event`, as the control API returns it."""
    end = None if event.end is None else iso8601(event.end)
    return EventStatus(name=event.name, start=iso8601(event.start), end=end, pinned=event.pinned)


def encode_events(events: Mapping[str, EventSet]) -> bytes:
    """The JSON of all events, in order of their start."""
    in_order = sorted(events.values(), key=lambda event: (event.start, event.name))
    return msgspec.json.encode([status_of(event) for event in in_order])
