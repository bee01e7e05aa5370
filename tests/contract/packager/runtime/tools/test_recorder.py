"""A feed, recorded and extracted again: byte for byte."""

import asyncio
import os
import threading
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from packager.errors import MediaError, SetupError
from packager.feed.report import Container
from packager.impairment.recording import MAGIC, encode
from packager.impairment.schedule import Connected, Disconnected, Event, Received
from packager.runtime.tools.media_file import events_of, extract, schedule_of
from packager.runtime.tools.record import Recorder
from packager.timing.clock import ManualClock
from packager.timing.ticks import UtcMicros
from tests.support.full_disk import files_up_to

TS, FLV = Container.TS, Container.FLV


class CollectingSink:
    """A sink that keeps all events."""

    def __init__(self) -> None:
        self.events: list[tuple[str, ...]] = []
        self.data = b""

    def connected(self, container: Container, peer: str) -> None:
        self.events.append(("connected", container, peer))

    def received(self, data: bytes) -> None:
        self.data += data

    def disconnected(self, reason: str) -> None:
        self.events.append(("disconnected", reason))

    def problem_reported(self, problem: str) -> None:
        self.events.append(("problem", problem))


CONNECTIONS = st.lists(
    st.tuples(st.sampled_from(Container), st.lists(st.binary(max_size=5000), max_size=6)),
    max_size=4,
)


@given(CONNECTIONS)
def test_each_connection_is_replayed_byte_for_byte(
    connections: list[tuple[Container, list[bytes]]],
) -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / "feed.recording"
        sink = CollectingSink()

        async def play() -> None:
            async with Recorder(sink, path, ManualClock(UtcMicros(1_000_000))) as recorder:
                for number, (container, pieces) in enumerate(connections):
                    recorder.connected(container, f"peer {number}")
                    for piece in pieces:
                        recorder.received(piece)
                    recorder.disconnected(f"reason {number}")
                recorder.problem_reported("rain")

        asyncio.run(play())
        found = list(extract(path, folder / "out"))
        assert [one.file.read_bytes() for one in found] == [b"".join(p) for _, p in connections]
        assert [(one.begun.container, one.begun.peer, one.reason) for one in found] == [
            (container, f"peer {n}", f"reason {n}") for n, (container, _) in enumerate(connections)
        ]
        assert [one.file.suffix for one in found] == [
            ".ts" if container is TS else ".flv" for container, _ in connections
        ]
        instants = [event.at for event in events_of(path)]
        assert instants == sorted(instants)
        assert all(at >= 1_000_000 for at in instants)
        assert sink.data == b"".join(piece for _, pieces in connections for piece in pieces)
        assert sink.events[-1] == ("problem", "rain")
        assert len(sink.events) == 2 * len(connections) + 1


async def test_an_open_connection_is_complete_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "feed.recording"
    async with Recorder(CollectingSink(), path) as recorder:
        recorder.received(b"no sender")
        recorder.connected(TS, "a")
        recorder.received(b"one")
        recorder.connected(FLV, "b")
        recorder.received(b"two")
    kinds = [type(event) for event in events_of(path)]
    assert kinds == [Connected, Received, Disconnected] * 2
    assert [one.file.read_bytes() for one in extract(path, tmp_path)] == [b"one", b"two"]


def test_a_torn_recording_is_played_to_its_last_whole_record(tmp_path: Path) -> None:
    events: list[Event] = [Connected(5, TS, "a"), Received(6, b"one"), Received(7, b"two")]
    path = tmp_path / "feed.recording"
    path.write_bytes(MAGIC + b"".join(map(encode, events))[:-1])
    assert list(schedule_of(path)) == [*events[:2], Disconnected(6, "end of the recording")]
    (one,) = extract(path, tmp_path / "out")
    assert one.file.read_bytes() == b"one"
    assert one.reason is None


def test_a_file_that_is_not_a_recording_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"something else")
    for use in (lambda: list(extract(path, tmp_path)), lambda: schedule_of(path)):
        with pytest.raises(SetupError, match=r"neither|not a recording"):
            use()
    path.write_bytes(MAGIC + encode(Connected(1, TS, "a")) + b"\xff" * 40)
    with pytest.raises(MediaError, match="damaged"):
        list(schedule_of(path))
    good = tmp_path / "good"
    good.write_bytes(MAGIC + encode(Connected(1, TS, "a")))
    list(extract(good, tmp_path / "out"))
    with pytest.raises(SetupError, match=r"001\.ts exists"):
        list(extract(good, tmp_path / "out"))
    with pytest.raises(SetupError, match="exists: name a new file"):
        Recorder(CollectingSink(), good)
    with pytest.raises(SetupError, match="No such file"):
        Recorder(CollectingSink(), tmp_path / "none" / "x")


async def test_on_a_full_disk_the_recording_stops_and_the_feed_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "feed.recording"
    sink = CollectingSink()
    with structlog.testing.capture_logs() as logs, files_up_to(10_000):
        async with Recorder(sink, path) as recorder:
            recorder.connected(TS, "a")
            recorder.received(b"x" * 5000)
            while path.stat().st_size < 5000:
                await asyncio.sleep(0.001)
            recorder.received(b"y" * 8000)
            await recorder.stopped()
            recorder.received(b"z" * 50)
            recorder.disconnected("over")
    assert sink.data == b"x" * 5000 + b"y" * 8000 + b"z" * 50
    assert [log["event"] for log in logs] == ["recording.stopped"]
    assert logs[0]["problem"] == recorder.problem == "File too large"
    (one,) = extract(path, tmp_path / "out")
    assert one.file.read_bytes() == b"x" * 5000


async def test_a_disk_that_does_not_keep_up_never_makes_the_feed_wait(tmp_path: Path) -> None:
    """Only the slow write is simulated, for want of a disk that hangs."""
    path = tmp_path / "feed.recording"
    sink = CollectingSink()
    hangs = threading.Event()
    real = os.writev

    def slow(descriptor: int, parts: list[bytes]) -> int:
        hangs.wait()
        return real(descriptor, parts)

    with structlog.testing.capture_logs() as logs, pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "writev", slow)
        recorder = Recorder(sink, path, max_queued=100_000)
        recorder.connected(TS, "a")
        for _ in range(300):
            recorder.received(b"x" * 1000)
        assert len(sink.data) == 300_000
        assert recorder.problem == "the disk is too slow"
        hangs.set()
        await recorder.close()
    assert [log["event"] for log in logs] == ["recording.stopped"]
    assert all(isinstance(event, (Connected, Received)) for event in events_of(path))


def test_a_recording_goes_on_over_and_over(tmp_path: Path) -> None:
    path = tmp_path / "feed.recording"
    events: list[Event] = [Connected(5, TS, "a"), Received(6, b"one"), Disconnected(9, "over")]
    path.write_bytes(MAGIC + b"".join(map(encode, events)))
    turns = schedule_of(path, loop=True)
    played = [next(turns) for _ in range(6)]
    assert played[:3] == events
    assert [event.at for event in played[3:]] == [1_000_009, 1_000_010, 1_000_013]
