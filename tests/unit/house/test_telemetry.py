"""Names of log events and metrics."""

import pytest

from tests.house import telemetry
from tests.house.tree import Source, tree_of

EVENTS = [
    ('log.info("feed.connected", peer=peer)', True),
    ('self._log.warning("media.write_failed")', True),
    ('structlog.get_logger().error("segment.lost")', True),
    ('math.log("a b")', True),
    ("log.info(event)", True),
    ('log.info("connected")', False),
    ('log.info("port.step-failed")', False),
    ('log.info("feed.trouble")', False),
    ('_log.error("Feed.Connected")', False),
    ('log.info(f"feed.{name}_failed")', False),
]


@pytest.mark.parametrize(("text", "right"), EVENTS)
def test_log_events(text: str, right: bool) -> None:  # noqa: FBT001 - a parameter
    assert (telemetry.find_odd_events(tree_of({"packager/a.py": text})) == []) is right


def test_events_that_a_method_hands_to_the_log() -> None:
    text = (
        "def problem(self, event, text):\n    self._log.warning(event, problem=text)\n"
        'a.problem("disk.full", "no room")\na.problem("disk.filled", "no room")\n'
        'a.problem("a text")\na.other("disk.full")\n'
    )
    (found,) = telemetry.find_odd_events(tree_of({"packager/a.py": text}))
    assert str(found) == "packager/a.py:3: event 'disk.full'"


METRICS = [
    ('Counter("ringside_segments_total", "Segments")', []),
    ('Counter("ringside_segments", "Segments")', ["a counter ends in _total"]),
    ('Counter("segments_total", "Segments")', ["no prefix ringside_"]),
    ('Gauge("ringside_lag_seconds", "Lag")', []),
    ('Gauge("ringside_lag_ms", "Lag")', ["ms is no base unit"]),
    ('Gauge("ringside_segments_total", "Segments")', ["only a counter ends in _total"]),
    ('Histogram("ringside_first_byte_seconds", "Time")', []),
    ('Histogram("ringside_throughput_bytes_per_second", "Throughput")', []),
    ('Histogram("ringside_first_byte", "Time")', ["a histogram ends in its unit"]),
    ("Counter(words)", []),
]


@pytest.mark.parametrize(("text", "problems"), METRICS)
def test_metrics(text: str, problems: list[str]) -> None:
    found = telemetry.find_odd_metrics(tree_of({"origin/a.py": text}))
    assert [offence.text.partition(": ")[2] for offence in found] == problems


def test_metrics_that_a_function_makes() -> None:
    text = 'def _gauge(name):\n    return Gauge(f"ringside_feed_{name}", "x")\nA = _gauge("skew")\n'
    assert list(telemetry.metrics(Source("a.py", text))) == [(3, "Gauge", "ringside_feed_skew")]
