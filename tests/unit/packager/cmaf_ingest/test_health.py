"""Bytes, arrivals and problems of pushed CMAF."""

from packager.cmaf_ingest.health import IngestHealth
from packager.timing.ticks import MICROS


def test_the_bit_rate_is_that_of_the_last_seconds() -> None:
    health = IngestHealth()
    assert health.bitrate(0) is None
    for second in range(30):
        health.note_bytes("10.0.0.1", 125_000, second * MICROS)
    assert health.bitrate(30 * MICROS - 1) == 1_000_000
    assert health.bitrate(60 * MICROS) == 0


def test_the_last_arrival_counts() -> None:
    health = IngestHealth()
    assert health.silent_ms(MICROS) is None
    health.note_bytes("10.0.0.1", 1, MICROS)
    assert health.silent_ms(3 * MICROS) == 2000
    assert health.peer == "10.0.0.1"


def test_a_problem_is_taken_once() -> None:
    health = IngestHealth()
    health.note_problem("the connection was lost within a body")
    assert health.take_problem() == "the connection was lost within a body"
    assert health.take_problem() == ""
