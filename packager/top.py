"""The view of all channels for a terminal: what the control port says, as tables of Rich."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TypeVar

import msgspec
from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.styled import Styled
from rich.table import Table
from rich.text import Text

from packager.status import FeedStatus

_NONE = "-"
_STATES = {
    "backing-off": "bold red",
    "unknown": "bold red",
    "degraded": "yellow",
    "starting": "cyan",
    "stopped": "dim",
    "live": "green",
    "ended": "dim",
}
"""States with their colours, those first that somebody has to see to."""
_SLOW = 0.97
"""Speed below which an encoder does not keep up."""
_HEAD = 2
"""Lines of a table besides its rows."""


class Channel(msgspec.Struct, frozen=True, kw_only=True):
    """What the control port says of a channel, as far as it is shown."""

    name: str
    state: str = "unknown"
    source: str = ""
    ladder: str = ""
    problem: str = ""
    problem_at: str | None = None
    """ISO 8601, in UTC."""
    restarts: int = 0
    speed: float | None = None
    lag_ms: int | None = None
    drift_ms: int | None = None
    live_edge_age: float | None = None
    feeds: tuple[FeedStatus, ...] = ()


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """What it says of all."""

    version: str = ""
    now: str = ""
    channels: tuple[Channel, ...] = ()


@dataclass(frozen=True, slots=True)
class Counts:
    """What viewers have been sent of a channel since the service started."""

    requests: float = 0
    octets: float = 0


@dataclass(frozen=True, slots=True)
class Traffic:
    """What was counted at an instant, by channel."""

    at: float
    """Seconds on a clock that never steps."""
    counts: Mapping[str, Counts]


@dataclass(frozen=True, slots=True)
class Rate:
    """What viewers are sent of a channel."""

    requests: float
    """A second."""
    bits: float
    """A second."""


@dataclass(frozen=True, slots=True)
class Look:
    """What is known at an instant."""

    status: Status
    rates: Mapping[str, Rate]
    trouble: str = ""
    """Why nothing newer is, in one line."""


def read_status(data: bytes) -> Status:
    """The answer of `/api/status`.

    Raises:
        msgspec.DecodeError: it is none.
    """
    return msgspec.json.decode(data, type=Status)


_SERIES = re.compile(
    r'^ringside_(requests|sent_bytes)_total\{[^}\n]*?\bchannel="([^"\n]{1,64})"[^}\n]*\}'
    r" ([0-9]{1,20}(?:\.[0-9]{1,20})?(?:e\+[0-9]{1,2})?)$",
    re.MULTILINE,
)


def read_traffic(text: str, at: float) -> Traffic:
    """What `/metrics`, read at `at`, says of viewers."""
    sums: dict[str, dict[str, float]] = {}
    for kind, channel, value in _SERIES.findall(text):
        of_channel = sums.setdefault(channel, {"requests": 0.0, "sent_bytes": 0.0})
        of_channel[kind] += float(value)
    return Traffic(
        at, {name: Counts(one["requests"], one["sent_bytes"]) for name, one in sums.items()}
    )


def rates(before: Traffic | None, after: Traffic) -> dict[str, Rate]:
    """By channel; of those that there is something to compare with, unless they began anew."""
    if before is None or (seconds := after.at - before.at) <= 0:
        return {}
    found: dict[str, Rate] = {}
    for name, now in after.counts.items():
        was = before.counts.get(name, Counts())
        if now.requests >= was.requests and now.octets >= was.octets:
            found[name] = Rate(
                (now.requests - was.requests) / seconds, 8 * (now.octets - was.octets) / seconds
            )
    return found


# The view.


@dataclass(frozen=True, slots=True)
class _Row:
    """A channel, or a feed of it, with all that its cells may need."""

    channel: Channel
    rate: Rate | None = None
    index: int = 0
    feed: FeedStatus = FeedStatus(name="")  # noqa: RUF009 - it never changes


@dataclass(frozen=True, slots=True)
class _Column:
    title: str
    cell: Callable[[_Row], Text]
    width: int = 0
    """Of the narrowest terminal that has it."""
    words: bool = False
    """Not a number."""
    shrinks: bool = False
    """Its end may be cut off where there is too little room for all."""


def view(look: Look, width: int, height: int | None = None) -> RenderableType:
    """What is known, for a terminal of `width` columns.

    Args:
        look: what is known.
        width: characters of a line; narrow terminals get fewer columns.
        height: lines; None for as many as are needed. What is well gives way to what is not.
    """
    channels = look.status.channels
    left = (1 << 16 if height is None else height) - 1 - bool(look.trouble)
    # Where all is too much, a third is for what is more than a line a channel.
    details = sum(_details(channel) for channel in channels)
    reserved = min(_HEAD + details if details else 0, left // 3)
    shown, more = _first_rows(channels, left - _HEAD - reserved, key=_urgency)
    left -= _HEAD + len(shown) + bool(more)
    parts: list[RenderableType] = []
    if shown:
        rows = [_Row(one, look.rates.get(one.name)) for one in shown]
        parts.append(_table(_CHANNELS, rows, width))
    if more:
        parts.append(_plain(f"and {len(more)} more: {_count(more)}", "dim"))
    feeds = [
        _Row(channel, index=index, feed=feed)
        for channel in shown
        for index, feed in enumerate(channel.feeds)
    ]
    if feeds and left >= _HEAD + min(2, len(feeds)):  # one, and how many more
        known, unseen = _first_rows(feeds, left - _HEAD, key=lambda row: row.feed.connected)
        left -= _HEAD + len(known) + bool(unseen)
        parts.append(_table(_FEEDS, known, width))
        if unseen:
            parts.append(_plain(f"and {len(unseen)} more", "dim"))
    notes = list(_notes(shown, wrapped=height is None))
    parts += notes[: max(0, left)]
    if look.trouble:
        return Group(_title(look), _plain(look.trouble, "bold red"), Styled(Group(*parts), "dim"))
    return Group(_title(look), *parts)


_T = TypeVar("_T")


def _first_rows(
    rows: Sequence[_T], room: int, key: Callable[[_T], int]
) -> tuple[list[_T], list[_T]]:
    """Those that there is room for, and the others; if there is not for all, low keys first."""
    if len(rows) <= max(1, room):
        return list(rows), []
    ordered = sorted(rows, key=key)
    fit = max(1, room - 1)
    return ordered[:fit], ordered[fit:]


def _details(channel: Channel) -> int:
    """Lines that are shown of a channel besides its own."""
    return len(channel.feeds) + bool(channel.problem) + sum(len(f.advice) for f in channel.feeds)


def _urgency(channel: Channel) -> int:
    names = list(_STATES)
    return names.index(channel.state) if channel.state in names else 0


def _count(channels: Iterable[Channel]) -> str:
    """`2 live, 1 stopped`."""
    counted = Counter(channel.state for channel in channels)
    return ", ".join(f"{count} {state}" for state, count in counted.most_common())


def _title(look: Look) -> Text:
    status = look.status
    if not status.now:
        return Text("Ringside", "bold")
    many = "1 channel" if len(status.channels) == 1 else f"{len(status.channels)} channels"
    counted = f": {_count(status.channels)}" if status.channels else ""
    return _plain(f"Ringside {status.version}  {status.now[:19]}Z  {many}{counted}", "bold")


def _plain(text: str, style: str = "") -> Text:
    """Text in one line: whatever comes over the network moves no cursor and sets no colour."""
    shown = "".join(char if char.isprintable() else "?" for char in text)
    return Text(shown, style, no_wrap=True, overflow="ellipsis")


def _table(columns: Sequence[_Column], rows: Sequence[_Row], width: int) -> Table:
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=0)
    there = [column for column in columns if column.width <= width]
    for column in there:
        table.add_column(
            column.title,
            justify="left" if column.words else "right",
            no_wrap=not column.shrinks,
            overflow="ellipsis",
        )
    for row in rows:
        table.add_row(*(column.cell(row) for column in there))
    return table


def _notes(channels: Sequence[Channel], *, wrapped: bool) -> Iterator[Text]:
    """Problems, and what senders should change: a line each, or as many as it needs."""
    for note in chain(_problems(channels), _advice(channels)):
        note.no_wrap = not wrapped
        yield note


def _problems(channels: Iterable[Channel]) -> Iterator[Text]:
    for channel in channels:
        if channel.problem:
            when = f"{channel.problem_at[11:19]} " if channel.problem_at else ""
            yield _plain(f"{channel.name}: {when}{channel.problem}", "yellow")


def _advice(channels: Iterable[Channel]) -> Iterator[Text]:
    for channel in channels:
        for index, feed in enumerate(channel.feeds):
            for sentence in feed.advice:
                yield _plain(f"{channel.name}, {index} {feed.name}: {sentence}")


def _number(value: float | None, digits: int = 0, unit: str = "", *, signed: bool = False) -> Text:
    if value is None:
        return Text(_NONE, "dim")
    sign = "+" if signed else ""
    return _plain(f"{value:{sign}.{digits}f}{unit}")


def _state(row: _Row) -> Text:
    return _plain(row.channel.state, _STATES.get(row.channel.state, "bold red"))


def _speed(row: _Row) -> Text:
    speed = _number(row.channel.speed, 2, "x")
    if row.channel.speed is not None and row.channel.speed < _SLOW:
        speed.stylize("yellow")
    return speed


def _requests(row: _Row) -> Text:
    return _number(None if row.rate is None else row.rate.requests, 1)


def _sent(row: _Row) -> Text:
    return _number(None if row.rate is None else row.rate.bits / 1e6, 1)


_CHANNELS = (
    _Column("channel", lambda row: _plain(row.channel.name, "bold"), words=True, shrinks=True),
    _Column("state", _state, words=True),
    _Column("source", lambda row: _plain(row.channel.source), 90, words=True, shrinks=True),
    _Column("ladder", lambda row: _plain(row.channel.ladder), 110, words=True, shrinks=True),
    _Column("speed", _speed),
    _Column("edge", lambda row: _number(row.channel.live_edge_age, 1, " s"), 80),
    _Column("lag", lambda row: _number(row.channel.lag_ms, unit=" ms"), 60),
    _Column("drift", lambda row: _number(row.channel.drift_ms, unit=" ms", signed=True), 90),
    _Column("restarts", lambda row: _number(row.channel.restarts), 70),
    _Column("requests/s", _requests, 50),
    _Column("Mbit/s", _sent, 50),
)


def _feed_state(row: _Row) -> Text:
    if not row.feed.connected:
        return _plain("away", "red")
    return _plain("on air", "green") if row.feed.active else _plain("connected", "cyan")


def _megabits(rate: int | None) -> float | None:
    return None if rate is None else rate / 1e6


def _faults(row: _Row) -> Text:
    report = row.feed.report
    counts = (report.continuity_errors, report.dropped_frames, report.late_frames)
    return _plain("/".join(map(str, counts)), "yellow" if any(counts) else "")


_FEEDS = (
    _Column("channel", lambda row: _plain(row.channel.name, "bold"), words=True, shrinks=True),
    _Column("feed", lambda row: _plain(f"{row.index} {row.feed.name}"), words=True, shrinks=True),
    _Column("state", _feed_state, words=True),
    _Column("from", lambda row: _plain(row.feed.peer or _NONE), 120, words=True, shrinks=True),
    _Column("Mbit/s", lambda row: _number(_megabits(row.feed.report.bitrate), 2)),
    _Column("fps", lambda row: _number(row.feed.report.frame_rate, 2), 70),
    _Column("GOP", lambda row: _number(row.feed.report.keyframe_interval, 2, " s"), 80),
    _Column("skew", lambda row: _number(row.feed.report.skew_ms, unit=" ms", signed=True), 80),
    _Column("ppm", lambda row: _number(row.feed.report.clock_ppm, signed=True), 100),
    _Column("CC/dropped/late", _faults, 60),
    _Column("silent", lambda row: _number(_silent(row.feed), unit=" ms"), 110),
    _Column("reconnects", lambda row: _number(row.feed.reconnects), 100),
)


def _silent(feed: FeedStatus) -> int | None:
    return feed.report.silent_ms if feed.connected else None
