"""The last seconds of a feed."""

from hypothesis import given
from hypothesis import strategies as st

from packager.feed.gop_buffer import GopBuffer
from packager.feed.report import FeedPiece
from packager.timing.ticks import MICROS

KEPT = 8 * MICROS
pieces = st.lists(
    st.tuples(st.booleans(), st.integers(0, 3 * MICROS), st.binary(min_size=1, max_size=3)),
    max_size=40,
)


def test_nothing_is_kept_before_a_keyframe() -> None:
    backlog = GopBuffer()
    backlog.add(FeedPiece(b"x", starts=False), 1)
    assert backlog.first is None
    assert backlog.since(1) is None


def test_from_the_newest_keyframe_at_an_instant_or_before_it() -> None:
    backlog = GopBuffer()
    for at, data, starts in (
        (10, b"K", True),
        (20, b"p", False),
        (30, b"L", True),
        (40, b"q", False),
    ):
        backlog.add(FeedPiece(data, starts), at)
    wanted = {5: b"KpLq", 10: b"KpLq", 29: b"KpLq", 30: b"Lq", 99: b"Lq"}
    for instant, data in wanted.items():
        tail = backlog.since(instant)
        assert tail is not None
        assert b"".join(tail.data) == data
    backlog.clear()
    assert backlog.since(99) is None


@given(pieces)
def test_the_buffer_keeps_the_end_from_a_keyframe_on(sent: list[tuple[bool, int, bytes]]) -> None:
    backlog, now, data = GopBuffer(), 0, b""
    for starts, later, some in sent:
        now += later
        backlog.add(FeedPiece(some, starts), now)
        data += some
        first = backlog.first
        if first is None:
            continue
        tail = backlog.since(0)
        assert tail is not None
        assert tail.arrived_at == first
        assert data.endswith(b"".join(tail.data))
        newest = backlog.since(now)
        assert newest is not None
        # Of the media before the span, only one group of pictures is kept.
        assert (
            first > now - KEPT or newest.arrived_at == first or _second(backlog, now) > now - KEPT
        )


def _second(backlog: GopBuffer, now: int) -> int:
    """When the second kept keyframe arrived."""
    first = backlog.first or 0
    low, high = first, now
    while low < high:
        middle = (low + high) // 2
        tail = backlog.since(middle)
        if tail is not None and tail.arrived_at > first:
            high = middle
        else:
            low = middle + 1
    return low
