"""The columns of the tables of `ringside top`, and the text of each cell."""

from collections.abc import Callable
from dataclasses import dataclass

from rich.text import Text

from packager.diagnostics.control_status import ChannelRow, Rate
from packager.diagnostics.status import FeedStatus

_UNKNOWN = "-"
STATES = {
    "backing-off": "bold red",
    "unknown": "bold red",
    "degraded": "yellow",
    "starting": "cyan",
    "stopped": "dim",
    "live": "green",
    "ended": "dim",
}
"""Style of each state, the most urgent first."""
_TOO_SLOW = 0.97
"""Speed below which an encoder does not keep up with real time."""


@dataclass(frozen=True, slots=True)
class Row:
    """The values of a row: a channel, or one of its feeds."""

    channel: ChannelRow
    rate: Rate | None = None
    feed: FeedStatus = FeedStatus(name="")  # noqa: RUF009 - immutable


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table."""

    title: str
    cell: Callable[[Row], Text]
    width: int = 0
    """Width of the narrowest terminal that shows the column."""
    is_text: bool = False
    """The cells are not numbers."""
    shrinks: bool = False
    """The cells may be cut if the table is too wide."""


def plain(text: str, style: str = "") -> Text:
    """`text` in one line; control characters of the network neither move the cursor nor colour."""
    shown = "".join(char if char.isprintable() else "?" for char in text)
    return Text(shown, style, no_wrap=True, overflow="ellipsis")


def _number(value: float | None, digits: int = 0, unit: str = "", *, signed: bool = False) -> Text:
    if value is None:
        return Text(_UNKNOWN, "dim")
    sign = "+" if signed else ""
    return plain(f"{value:{sign}.{digits}f}{unit}")


def _state(row: Row) -> Text:
    return plain(row.channel.state, STATES.get(row.channel.state, "bold red"))


def _speed(row: Row) -> Text:
    speed = _number(row.channel.speed, 2, "x")
    if row.channel.speed is not None and row.channel.speed < _TOO_SLOW:
        speed.stylize("yellow")
    return speed


def _live_edge(row: Row) -> Text:
    age = row.channel.live_edge_age
    # A segment is published before its last instant if its source is early.
    return _number(None if age is None else max(0.0, age), 1, " s")


def _requests(row: Row) -> Text:
    return _number(None if row.rate is None else row.rate.requests, 1)


def _sent(row: Row) -> Text:
    return _number(None if row.rate is None else row.rate.bits / 1e6, 1)


CHANNEL_COLUMNS = (
    Column("channel", lambda row: plain(row.channel.name, "bold"), is_text=True, shrinks=True),
    Column("state", _state, is_text=True),
    Column("source", lambda row: plain(row.channel.source), 90, is_text=True, shrinks=True),
    Column("ladder", lambda row: plain(row.channel.ladder), 110, is_text=True, shrinks=True),
    Column("speed", _speed),
    Column("edge", _live_edge, 80),
    Column("lag", lambda row: _number(row.channel.lag_ms, unit=" ms"), 60),
    Column("drift", lambda row: _number(row.channel.drift_ms, unit=" ms", signed=True), 90),
    Column("restarts", lambda row: _number(row.channel.restarts), 70),
    Column("requests/s", _requests, 50),
    Column("Mbit/s", _sent, 50),
)


def _feed_state(row: Row) -> Text:
    if not row.feed.connected:
        return plain("away", "red")
    return plain("on air", "green") if row.feed.active else plain("connected", "cyan")


def _bitrate(row: Row) -> Text:
    bitrate = row.feed.report.bitrate
    return _number(None if bitrate is None else bitrate / 1e6, 2)


def _errors(row: Row) -> Text:
    report = row.feed.report
    counts = (report.continuity_errors, report.dropped_frames, report.late_frames)
    return plain("/".join(map(str, counts)), "yellow" if any(counts) else "")


def _silent(row: Row) -> Text:
    return _number(row.feed.report.silent_ms if row.feed.connected else None, unit=" ms")


FEED_COLUMNS = (
    Column("channel", lambda row: plain(row.channel.name, "bold"), is_text=True, shrinks=True),
    Column("feed", lambda row: plain(row.feed.label), is_text=True, shrinks=True),
    Column("state", _feed_state, is_text=True),
    Column("from", lambda row: plain(row.feed.peer or _UNKNOWN), 120, is_text=True, shrinks=True),
    Column("Mbit/s", _bitrate),
    Column("fps", lambda row: _number(row.feed.report.frame_rate, 2), 70),
    Column("GOP", lambda row: _number(row.feed.report.keyframe_interval, 2, " s"), 80),
    Column("skew", lambda row: _number(row.feed.report.skew_ms, unit=" ms", signed=True), 80),
    Column("ppm", lambda row: _number(row.feed.report.clock_ppm, signed=True), 100),
    Column("CC/dropped/late", _errors, 60),
    Column("silent", _silent, 110),
    Column("reconnects", lambda row: _number(row.feed.reconnects), 100),
)
