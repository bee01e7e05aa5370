import msgspec
import pytest

from packager.timeline.events import (
    MOST,
    EventOrder,
    UnknownEventError,
    decode_order,
    encode_events,
    instant,
    ordered,
    status_of,
)
from packager.timeline.records import EventSet
from packager.timing.ticks import UtcMicros, parse_iso8601

NOW = parse_iso8601("2026-01-01T20:00:00Z")
HOUR = 3_600_000_000
KNOWN = EventSet("fight", UtcMicros(NOW - HOUR))
TO_COME = EventSet("fight", UtcMicros(NOW + HOUR), pinned=True)


@pytest.mark.parametrize(
    ("order", "known", "expected"),
    [
        ({}, {}, EventSet("fight", NOW)),
        ({"start": "now"}, {}, EventSet("fight", NOW)),
        ({"start": "2026-01-01T21:00:00+01:00"}, {}, EventSet("fight", NOW)),
        ({"start": "now"}, {"fight": KNOWN}, EventSet("fight", NOW)),
        ({"start": "begun"}, {}, EventSet("fight", NOW)),
        ({"start": "begun"}, {"fight": KNOWN}, KNOWN),
        ({"start": "begun"}, {"fight": TO_COME}, EventSet("fight", NOW, pinned=True)),
        ({"pinned": False}, {"fight": TO_COME}, EventSet("fight", TO_COME.start)),
        ({"end": "now"}, {"fight": KNOWN}, EventSet("fight", KNOWN.start, NOW)),
        ({"pinned": True}, {"fight": KNOWN}, EventSet("fight", KNOWN.start, None, pinned=True)),
        (
            {"end": None},
            {"fight": EventSet("fight", KNOWN.start, NOW, pinned=True)},
            EventSet("fight", KNOWN.start, None, pinned=True),
        ),
        (
            {"start": "2026-01-01T19:00:00Z", "end": "2026-01-01T23:00:00Z", "pinned": True},
            {},
            EventSet("fight", KNOWN.start, UtcMicros(NOW + 3 * HOUR), pinned=True),
        ),
    ],
)
def test_fields_missing_in_an_order_keep_their_value(
    order: dict[str, object], known: dict[str, EventSet], expected: EventSet
) -> None:
    text = msgspec.json.encode(order)
    assert ordered("fight", decode_order(text), known, NOW) == expected


@pytest.mark.parametrize(
    ("name", "order", "reason"),
    [
        ("UPPER", "{}", "an event's name"),
        ("a/b", "{}", "an event's name"),
        ("fight", '{"start": "now", "end": "2026-01-01T19:00:00Z"}', "which is not after"),
        ("fight", '{"start": "now", "end": "now"}', "which is not after"),
        ("fight", '{"start": "2026-01-01T19:00:00"}', "no offset"),
        ("fight", '{"start": "yesterday"}', "write it as 2026-01-01T00:00:00Z"),
        ("fight", '{"start": "1969-12-31T23:59:59Z"}', "not between the years 1970 and 2286"),
        ("fight", '{"start": "2026-01-01T19:00:00Z", "end": "9999-12-31T00:00:00Z"}', "2286"),
        ("fight", '{"begin": "now"}', "unknown field"),
        ("fight", '{"start": 5}', "str"),
        ("fight", "no", "truncated"),
    ],
)
def test_an_order_that_cannot_be(name: str, order: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        ordered(name, decode_order(order.encode()), {}, NOW)


@pytest.mark.parametrize("order", ['{"end": "now"}', '{"end": null}'])
def test_the_end_of_an_unknown_event_is_refused(order: str) -> None:
    with pytest.raises(UnknownEventError, match="no such event"):
        ordered("fight", decode_order(order.encode()), {}, NOW)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("2286-11-20T17:46:39.999999Z", 10**16 - 1),
        ("2286-11-20T17:46:40Z", None),
        ("1969-12-31T23:59:59.999999Z", None),
        ("0001-01-01T00:00:00+23:59", None),
        ("9999-12-31T23:59:59.999999-23:59", None),
        ("2026-01-01", None),
        ("\udcff", None),
        ("", None),
    ],
)
def test_the_times_an_event_may_have(text: str, expected: int | None) -> None:
    if expected is not None:
        assert instant(text) == expected
        return
    with pytest.raises(ValueError, match=r"1970|2026-01-01") as caught:
        instant(text)
    assert "\n" not in str(caught.value)


def test_events_are_bounded() -> None:
    known = {f"e{index}": EventSet(f"e{index}", NOW) for index in range(MOST)}
    assert ordered("e5", EventOrder(pinned=True), known, NOW).pinned
    with pytest.raises(ValueError, match="events already"):
        ordered("fight", EventOrder(), known, NOW)


def test_events_are_listed_by_their_start() -> None:
    events = {
        "b": EventSet("b", NOW, UtcMicros(NOW + HOUR), pinned=True),
        "a": EventSet("a", NOW),
        "c": KNOWN,
    }
    listed = msgspec.json.decode(encode_events(events))
    assert [event["name"] for event in listed] == ["fight", "a", "b"]
    assert status_of(events["b"]).end == "2026-01-01T21:00:00.000Z"
    assert listed[2]["pinned"]
