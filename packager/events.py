"""Events: named stretches of a channel's timeline, as they are ordered."""

from collections.abc import Mapping
from hashlib import blake2b

import msgspec
from msgspec import UNSET, UnsetType

from packager.errors import RingsideError
from packager.records import EventSet
from packager.ticks import MICROS, UtcMicros, iso8601, parse_iso8601
from packager.track import TRACK_ID

MOST = 1000
"""Events of a channel."""
LONGEST_ORDER = 4096
"""Bytes."""
_FAR = 10**10 * MICROS
"""2286-11-20T17:46:40Z: what no path of a view can say any more."""


class UnknownEventError(RingsideError):
    """An order for an event that is not there."""

    def __init__(self) -> None:
        super().__init__("no such event")


class EventOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to be said of an event; what is left out stays as it is."""

    start: str | UnsetType = UNSET
    """ISO 8601, `now`, or `begun`: now, unless it has begun already. Of a new event, now."""
    end: str | UnsetType | None = UNSET
    """ISO 8601, or `now`; null while it is not known."""
    pinned: bool | UnsetType = UNSET


class EventSaid(msgspec.Struct, frozen=True, kw_only=True):
    """An event as it is told of."""

    name: str
    start: str
    end: str | None
    pinned: bool


def decode_order(data: bytes) -> EventOrder:
    """The order in a JSON text.

    Raises:
        ValueError: there is none in it.
    """
    return msgspec.json.decode(data, type=EventOrder)


def ordered(
    name: str, order: EventOrder, events: Mapping[str, EventSet], now: UtcMicros
) -> EventSet:
    """The event called `name` once `order` is done.

    Raises:
        ValueError: it cannot be.
        UnknownEventError: it would end without ever having begun.
    """
    if TRACK_ID.fullmatch(name) is None:
        raise ValueError("an event's name is at most 32 of a-z, 0-9, - and _")
    known = events.get(name)
    if known is None and order.start is UNSET and order.end is not UNSET:
        raise UnknownEventError
    if known is None and len(events) >= MOST:
        raise ValueError(f"there are {MOST} events already")
    start = known.start if known else now
    end = known.end if known else None
    pinned = known.pinned if known else False
    if order.start is not UNSET:
        start = min(start, now) if order.start == "begun" else _said_instant(order.start, now)
    if order.end is not UNSET:
        end = None if order.end is None else _said_instant(order.end, now)
    if order.pinned is not UNSET:
        pinned = order.pinned
    if end is not None and end <= start:
        raise ValueError(f"it would end at {iso8601(end)}, which is not after {iso8601(start)}")
    return EventSet(name, start, end, pinned)


def _said_instant(text: str, now: UtcMicros) -> UtcMicros:
    return now if text == "now" else instant(text)


def instant(text: str) -> UtcMicros:
    """The instant that `text` names, which an event may begin or end at.

    Raises:
        ValueError: it names none, or one that no view can show.
    """
    named = parse_iso8601(text)
    if not 0 <= named < _FAR:
        raise ValueError(f"{text!r}: not between the years 1970 and 2286")
    return named


def schedule_of(event: EventSet) -> str:
    """Tells what a schedule says of `event` from anything else that it may say."""
    return blake2b(msgspec.json.encode(event), digest_size=8).hexdigest()


def said(event: EventSet) -> EventSaid:
    """`event` in words."""
    end = None if event.end is None else iso8601(event.end)
    return EventSaid(name=event.name, start=iso8601(event.start), end=end, pinned=event.pinned)


def encode_events(events: Mapping[str, EventSet]) -> bytes:
    """The JSON of all events, by their start."""
    listed = sorted(events.values(), key=lambda event: (event.start, event.name))
    return msgspec.json.encode([said(event) for event in listed])
