"""CMCD from requests to Prometheus metrics, in one process and in several."""

import subprocess
import sys
from itertools import count

import pytest
from prometheus_client import REGISTRY

from origin.runtime.telemetry.cmcd_metrics import CmcdMetrics
from origin.viewers.cmcd import LONGEST
from packager.timing.ticks import MICROS, UtcMicros
from tests.paths import ROOT

START = UtcMicros(1_800_000_000 * MICROS)
_channels = count()


@pytest.fixture
def channel() -> str:
    """A channel for each test, since counters keep their values."""
    return f"quality-{next(_channels)}"


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(f"ringside_cmcd_{name}", labels) or 0.0


def test_reports_of_players_are_counted(channel: str) -> None:
    quality = CmcdMetrics()
    of = {"channel": channel, "cdn": "one"}
    quality.note(channel, "one", 'a=1&CMCD=bl%3D1900%2Csid%3D"x"%2Csu', {}, START)
    later = UtcMicros(START + 3 * MICROS)
    reported = {"cmcd-status": "bs", "cmcd-request": "mtp=4200,bl=100", "cmcd-session": 'sid="x"'}
    quality.note(channel, "one", None, reported, later)
    quality.note(channel, "one", "CMCD=nonsense", {}, later)
    quality.note(channel, "one", "a=1", {"user-agent": "x"}, later)
    assert value("requests_total", **of) == 0
    assert quality.flush() == 0
    assert (value("requests_total", **of), value("starved_total", **of)) == (2, 1)
    assert value("buffer_seconds_bucket", le="0.5", **of) == 1
    assert value("buffer_seconds_bucket", le="2.0", **of) == 2
    assert value("buffer_seconds_sum", **of) == 2
    assert value("throughput_bytes_per_second_sum", **of) == 525_000
    assert value("startup_seconds_count", **of) == 1
    assert value("startup_seconds_sum", **of) == 3
    assert quality.flush() == 0
    assert value("requests_total", **of) == 2


def test_a_flood_and_long_reports_are_dropped(channel: str) -> None:
    dropped = value("dropped_total")
    quality = CmcdMetrics(most_waiting=3)
    for _ in range(5):
        quality.note(channel, "", "CMCD=bs", {}, START)
    quality.flush()
    assert value("dropped_total") == dropped + 2
    for query, headers in (
        (f"CMCD=bs,{'x' * LONGEST}", {}),
        (None, {"cmcd-object": "a" * LONGEST, "cmcd-status": "bs"}),
    ):
        quality.note(channel, "", query, headers, START)
    quality.flush()
    assert value("dropped_total") == dropped + 4
    assert value("starved_total", channel=channel, cdn="") == 3


def test_a_flush_stops_at_its_limit(channel: str) -> None:
    quality = CmcdMetrics()
    for _ in range(100):
        quality.note(channel, "", "CMCD=bs", {}, START)
    assert quality.flush(at_once=10 * len("CMCD=bs")) == 90
    assert value("requests_total", channel=channel, cdn="") == 10
    assert quality.flush() == 0
    assert value("requests_total", channel=channel, cdn="") == 100


WORKER = """
from origin.runtime.telemetry.cmcd_metrics import CmcdMetrics
from origin.runtime.telemetry.metrics import TimelineCollector, exposition
quality = CmcdMetrics()
quality.note("tv", "", "CMCD=bs,bl=1000,mtp=5000", {}, 0)
quality.flush()
print(exposition(TimelineCollector({}, lambda: 0)).decode())
"""


def test_workers_count_together(tmp_path: object) -> None:
    """Each runs in its own process: the library chooses its mode when it is imported."""
    command = [sys.executable, "-c", WORKER]
    environment = {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    for _ in range(2):
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True
        )
    of = 'cdn="",channel="tv"'
    for line in (
        f"ringside_cmcd_requests_total{{{of}}} 2.0",
        f"ringside_cmcd_starved_total{{{of}}} 2.0",
        f'ringside_cmcd_buffer_seconds_bucket{{{of},le="0.5"}} 0.0',
        f'ringside_cmcd_buffer_seconds_bucket{{{of},le="1.0"}} 2.0',
        f'ringside_cmcd_buffer_seconds_bucket{{{of},le="+Inf"}} 2.0',
        f"ringside_cmcd_buffer_seconds_sum{{{of}}} 2.0",
        f"ringside_cmcd_throughput_bytes_per_second_sum{{{of}}} 1.25e+06",
    ):
        assert line in done.stdout.splitlines()
