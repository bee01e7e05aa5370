"""Plans for future media of a stale edge."""

import pytest

from origin.decision.plan import (
    Freshness,
)
from tests.support.decisions import N, asked, fragment, live, refused


@pytest.mark.parametrize("ahead", [1, 2, 100])
@pytest.mark.parametrize("kind", ["segment", "fragment"])
def test_media_after_a_stale_edge_is_unavailable(ahead: int, kind: str) -> None:
    timeline = live(N, N + 1)
    number = timeline.edge + ahead
    file = f"v0/{number}.m4s" if kind == "segment" else fragment(number)
    plan = refused(asked(file, timeline, timeline.grid.micros(timeline.edge + 100)))
    assert (plan.status, plan.freshness) == (503, Freshness.UNAVAILABLE)
    assert plan.retry_after
    assert asked(file, timeline) != plan
