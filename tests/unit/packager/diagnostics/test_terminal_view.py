"""The view of `ringside top`."""

from collections.abc import Iterable
from io import StringIO

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from rich.console import Console

from packager.diagnostics.control_status import ChannelRow, Rate, Snapshot, Status
from packager.diagnostics.status import ChannelStatus, FeedStatus
from packager.diagnostics.terminal_view import view
from tests.support.status import ADVICE, FED, PLAYED


def shown_of(name: str, status: ChannelStatus) -> ChannelRow:
    """A channel as the control port reports it."""
    fields = {**msgspec.to_builtins(status), "name": name, "since": "2026-01-01T00:00:00Z"}
    if status.problem_at is not None:
        fields["problem_at"] = "2026-01-01T00:00:01Z"
    return msgspec.convert({**fields, "live_edge_age": 2.5, "tracks": []}, ChannelRow)


FIGHT, HARBOUR = shown_of("fight", FED), shown_of("harbour", PLAYED)
QUIET = replace(FIGHT, feeds=(), problem="")


def look(channels: Iterable[ChannelRow], problem: str = "") -> Snapshot:
    status = Status(version="1.2.3", now="2026-01-01T12:34:56.789Z", channels=tuple(channels))
    return Snapshot(status, {"fight": Rate(123.44, 987_600_000)}, problem)


def lines(what: Snapshot, width: int = 140, height: int | None = None) -> list[str]:
    console = Console(file=StringIO(), width=width, height=height)
    console.print(view(what, width, height))
    return console.file.getvalue().splitlines()  # type: ignore[attr-defined,no-any-return]


def line_of(found: list[str], *words: str) -> list[str]:
    [line] = [line for line in found if line.split()[: len(words)] == list(words)]
    return line.split()


def test_all_there_is_in_a_wide_terminal() -> None:
    found = lines(look([FIGHT, HARBOUR]))
    assert found[0] == "Ringside 1.2.3  2026-01-01T12:34:56Z  2 channels: 1 live, 1 backing-off"
    head = "channel state source ladder speed edge lag drift restarts requests/s Mbit/s"
    assert " ".join(found[1].split()) == head
    assert " ".join(line_of(found, "fight", "live")) == (
        "fight live rtmp sports-1080p25 1.00x 2.5 s 730 ms -4 ms 2 123.4 987.6"
    )
    assert " ".join(line_of(found, "harbour", "backing-off")) == (
        "harbour backing-off file harbour.ts demo - 2.5 s - - 0 - -"
    )
    assert " ".join(line_of(found, "fight", "source", "1")) == (
        "fight source 1 (rtmp) on air 192.0.2.7:50312 6.12 25.00 2.40 s -35 ms +12 7/5/1 40 ms 3"
    )
    assert " ".join(line_of(found, "fight", "source", "2")) == (
        "fight source 2 (srt on port 9000) away - - - - - - 0/0/0 - 0"
    )
    assert found[-3:] == [
        "fight: 00:00:01 the network was away",
        "harbour: ffmpeg: harbour.ts: no such file",
        f"fight, source 1 (rtmp): {ADVICE}",
    ]


def test_no_feeds_no_table_of_them() -> None:
    found = lines(look([replace(QUIET, name="a")]))
    assert len(found) == 4
    assert "1 channel: 1 live" in found[0]


def test_before_anything_was_ever_seen() -> None:
    found = lines(Snapshot(Status(), {}, "http://127.0.0.1:1/api/status: refused; trying again"))
    assert found == ["Ringside", "http://127.0.0.1:1/api/status: refused; trying again"]


def test_earlier_rows_stay_below_a_problem() -> None:
    found = lines(look([FIGHT], "nobody there; trying again"))
    assert found[1] == "nobody there; trying again"
    assert line_of(found, "fight", "live")


def test_channels_with_problems_are_first_in_a_low_terminal() -> None:
    many = [replace(QUIET, name=f"c{index}") for index in range(40)]
    found = lines(look([*many, FIGHT, HARBOUR]), height=24)
    assert len(found) <= 24
    assert found[3].startswith("harbour")
    [more] = [line for line in found if line.startswith("and ")]
    named = sum(
        line.startswith(("c", "harbour ", "fight  ")) for line in found[3 : found.index(more)]
    )
    assert more == f"and {42 - named} more: {42 - named} live"
    assert "harbour: ffmpeg: harbour.ts: no such file" in found


FEEDS = st.lists(st.sampled_from([*FED.feeds]), max_size=4).map(tuple)
TEXTS = st.text(max_size=30)
CHANNELS = st.builds(
    ChannelRow,
    name=st.text(max_size=32) | st.just("[red]x[/nonsense]"),
    state=st.sampled_from(["live", "degraded", "unknown", "new"]) | TEXTS,
    source=TEXTS,
    ladder=TEXTS,
    problem=TEXTS,
    problem_at=st.none() | TEXTS,
    speed=st.none() | st.floats(0, 1000),
    lag_ms=st.none() | st.integers(-(10**9), 10**9),
    feeds=FEEDS
    | st.lists(st.builds(FeedStatus, name=TEXTS, advice=st.just(("a", "b")))).map(tuple),
)


@given(
    channels=st.lists(CHANNELS, max_size=30),
    width=st.integers(20, 200),
    height=st.integers(8, 60),
    trouble=TEXTS,
)
def test_the_view_fits_every_terminal_with_any_text(
    channels: list[ChannelRow], width: int, height: int, trouble: str
) -> None:
    console = Console(file=StringIO(), width=width, height=height)
    drawn = console.render_lines(view(look(channels, trouble), width, height), pad=False)
    assert len(drawn) <= height
    for line in drawn:
        assert sum(part.cell_length for part in line) <= width
        assert all(part.text.isprintable() for part in line), line
