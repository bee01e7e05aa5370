"""A follower that joins a segment that grows no more."""

from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import pytest

from origin.caching.counters import RequestCounters
from origin.decision.plan import Freshness, Refuse, ServeGrowing, Wait
from origin.runtime.journal.follower import FollowedChannel
from origin.runtime.server.growing_segment import ChunkedSegment, SegmentState
from packager.layout import SegmentName
from packager.track import TrackKind
from tests.support.channel import Packager, low


@dataclass
class Follower:
    is_gone: bool = False
    calls: list[str] = field(default_factory=list)

    def write(self, data: bytes) -> None:
        self.calls.append(f"{len(data)} bytes")

    def abort(self) -> None:
        self.calls.append("aborted")

    def request_done(self) -> None:
        self.calls.append("done")


@pytest.fixture
def made(tmp_path: Path) -> Packager:
    packager = low(tmp_path)
    packager.chunk("v0", packager.first + 3, 0)
    return packager


def segment_of(made: Packager) -> ChunkedSegment:
    number = made.first + 3
    wait = Wait(Fraction(1), Refuse(503, "not there", Freshness.UNAVAILABLE))
    plan = ServeGrowing("tv", "v0", SegmentName(number), TrackKind.VIDEO, wait)
    channel = FollowedChannel("tv", made.folder, Fraction(60), Fraction(600))
    channel.timeline = made.journal.timeline
    counters = RequestCounters("tv", "segment", 200)
    segment = ChunkedSegment(channel, plan, made.path("v0", number), counters)
    segment.grow()
    return segment


def calls_of_a_late_follower(segment: ChunkedSegment) -> list[str]:
    follower = Follower()
    with segment.followed_by(follower):
        return follower.calls


def test_a_complete_segment_is_sent_to_its_end(made: Packager) -> None:
    made.end("v0", made.first + 3)
    segment = segment_of(made)
    assert segment.state is SegmentState.COMPLETE
    assert calls_of_a_late_follower(segment)[-1:] == ["done"]
    assert "aborted" not in calls_of_a_late_follower(segment)


def test_an_abandoned_segment_is_cut(made: Packager) -> None:
    segment = segment_of(made)
    segment.abandon()
    assert calls_of_a_late_follower(segment)[-1:] == ["aborted"]
