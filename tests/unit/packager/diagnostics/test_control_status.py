"""The readers of the control port's status and metrics."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from packager.diagnostics.control_status import Rate, Status, rates, read_status, read_traffic


def test_a_response_that_is_not_a_status_is_refused() -> None:
    for wrong in (b"", b"[]", b"{", b'{"channels": [{}]}', b'{"channels": [{"name": 1}]}'):
        with pytest.raises(msgspec.DecodeError):
            read_status(wrong)
    assert read_status(b'{"more": 1}') == Status()


METRICS = """\
# HELP ringside_requests_total Requests answered
ringside_requests_total{channel="fight",kind="segment",status="200"} 100.0
ringside_requests_total{channel="fight",kind="hls-media",status="304"} 1.5e+02
ringside_requests_total{channel="none of that name",kind="other",status="404"} 7.0
ringside_sent_bytes_total{channel="fight",kind="segment"} 1e+06
ringside_requests_total{kind="x"} 5.0
ringside_requests_total{channel="bad",kind="x"} NaN
ringside_denied_requests_total{channel="fight",reason="x"} 9.0
"""


def test_rates_are_computed_from_two_readings() -> None:
    first = read_traffic(METRICS, 10.0)
    assert first.counts["fight"].requests == 250
    assert first.counts["fight"].size == 1_000_000
    assert "bad" not in first.counts
    assert rates(None, first) == {}
    assert rates(first, first) == {}
    later = METRICS.replace("100.0", "120.0").replace("1e+06", "3e+06")
    second = read_traffic(f'{later}ringside_requests_total{{channel="new",kind="x"}} 8', 12.0)
    found = rates(first, second)
    assert found["fight"] == Rate(10, 8_000_000)
    assert found["new"] == Rate(4, 0)
    assert "fight" not in rates(second, read_traffic(METRICS, 13.0)), "the counters restarted"


@given(st.text() | st.lists(st.sampled_from(METRICS.splitlines())).map("\n".join))
def test_any_text_is_traffic(text: str) -> None:
    for counts in read_traffic(text, 0.0).counts.values():
        assert counts.requests >= 0
        assert counts.size >= 0
