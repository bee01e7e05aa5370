import msgspec
import pytest

from packager.events import MOST, EventOrder, decode_order, encode_events, ordered, said
from packager.records import EventSet
from packager.ticks import UtcMicros, parse_iso8601

NOW = parse_iso8601("2026-01-01T20:00:00Z")
HOUR = 3_600_000_000
KNOWN = EventSet("fight", UtcMicros(NOW - HOUR))


@pytest.mark.parametrize(
    ("order", "known", "expected"),
    [
        ({}, {}, EventSet("fight", NOW)),
        ({"start": "now"}, {}, EventSet("fight", NOW)),
        ({"start": "2026-01-01T21:00:00+01:00"}, {}, EventSet("fight", NOW)),
        ({"start": "now"}, {"fight": KNOWN}, EventSet("fight", NOW)),
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
def test_what_an_order_leaves_out_stays(
    order: dict[str, object], known: dict[str, EventSet], expected: EventSet
) -> None:
    text = msgspec.json.encode(order)
    assert ordered("fight", decode_order(text), known, NOW) == expected


@pytest.mark.parametrize(
    ("name", "order", "reason"),
    [
        ("UPPER", "{}", "an event's name"),
        ("a/b", "{}", "an event's name"),
        ("fight", '{"end": "2026-01-01T19:00:00Z"}', "which is not after"),
        ("fight", '{"start": "now", "end": "now"}', "which is not after"),
        ("fight", '{"start": "2026-01-01T19:00:00"}', "no offset"),
        ("fight", '{"begin": "now"}', "unknown field"),
        ("fight", '{"start": 5}', "str"),
        ("fight", "no", "truncated"),
    ],
)
def test_an_order_that_cannot_be(name: str, order: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        ordered(name, decode_order(order.encode()), {}, NOW)


def test_events_are_bounded() -> None:
    known = {f"e{index}": EventSet(f"e{index}", NOW) for index in range(MOST)}
    assert ordered("e5", EventOrder(pinned=True), known, NOW).pinned
    with pytest.raises(ValueError, match="events already"):
        ordered("fight", EventOrder(), known, NOW)


def test_events_are_told_by_their_start() -> None:
    events = {
        "b": EventSet("b", NOW, UtcMicros(NOW + HOUR), pinned=True),
        "a": EventSet("a", NOW),
        "c": KNOWN,
    }
    listed = msgspec.json.decode(encode_events(events))
    assert [event["name"] for event in listed] == ["fight", "a", "b"]
    assert said(events["b"]).end == "2026-01-01T21:00:00.000Z"
    assert listed[2]["pinned"]
