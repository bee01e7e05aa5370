"""The view of `ringside top`: tables of channels and feeds, fitted to the terminal."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.styled import Styled
from rich.table import Table
from rich.text import Text

from packager.diagnostics.control_status import ChannelRow, Snapshot
from packager.diagnostics.terminal_columns import (
    CHANNEL_COLUMNS,
    FEED_COLUMNS,
    STATES,
    Column,
    Row,
    plain,
)

_HEAD = 2
"""Lines of a table above its rows."""
_UNLIMITED = 1 << 16
"""Lines of a view that is not fitted to a terminal."""
_T = TypeVar("_T")


def view(snapshot: Snapshot, width: int, height: int | None = None) -> RenderableType:
    """The tables for a terminal of `width` columns.

    Args:
        snapshot: the state to show.
        width: characters of a line; a narrow terminal has fewer columns.
        height: lines; None for no limit. Channels with problems are shown before others.
    """
    channels = snapshot.status.channels
    left = (_UNLIMITED if height is None else height) - 1 - bool(snapshot.problem)
    # If not everything fits, a third of the height is for lines about feeds and problems.
    details = sum(_detail_lines(channel) for channel in channels)
    reserved = min(_HEAD + details if details else 0, left // 3)
    shown, hidden = _fitted(channels, left - _HEAD - reserved, key=_urgency)
    left -= _HEAD + len(shown) + bool(hidden)
    parts: list[RenderableType] = []
    if shown:
        rows = [Row(channel, snapshot.rates.get(channel.name)) for channel in shown]
        parts.append(_table(CHANNEL_COLUMNS, rows, width))
    if hidden:
        parts.append(plain(f"and {len(hidden)} more: {_state_counts(hidden)}", "dim"))
    feed_parts, lines = _feed_table(list(_feed_rows(shown)), width, left)
    parts += feed_parts
    parts += list(_notes(shown, wrapped=height is None))[: max(0, left - lines)]
    if snapshot.problem:
        old = Styled(Group(*parts), "dim")
        return Group(_title(snapshot), plain(snapshot.problem, "bold red"), old)
    return Group(_title(snapshot), *parts)


def _feed_rows(channels: Iterable[ChannelRow]) -> Iterator[Row]:
    for channel in channels:
        for feed in channel.feeds:
            yield Row(channel, feed=feed)


def _feed_table(rows: Sequence[Row], width: int, room: int) -> tuple[list[RenderableType], int]:
    """The table of feeds with the number of its lines; nothing if it needs more than `room`."""
    if not rows or room < _HEAD + min(2, len(rows)):
        return [], 0
    shown, hidden = _fitted(rows, room - _HEAD, key=lambda row: row.feed.connected)
    parts: list[RenderableType] = [_table(FEED_COLUMNS, shown, width)]
    if hidden:
        parts.append(plain(f"and {len(hidden)} more", "dim"))
    return parts, _HEAD + len(shown) + bool(hidden)


def _fitted(rows: Sequence[_T], room: int, key: Callable[[_T], int]) -> tuple[list[_T], list[_T]]:
    """The rows that fit, and the others. If not all fit, the rows with the lowest keys are kept."""
    if len(rows) <= max(1, room):
        return list(rows), []
    ordered = sorted(rows, key=key)
    count = max(1, room - 1)
    return ordered[:count], ordered[count:]


def _detail_lines(channel: ChannelRow) -> int:
    """Lines about a channel besides its row."""
    return len(channel.feeds) + bool(channel.problem) + sum(len(f.advice) for f in channel.feeds)


def _urgency(channel: ChannelRow) -> int:
    states = list(STATES)
    return states.index(channel.state) if channel.state in states else 0


def _state_counts(channels: Iterable[ChannelRow]) -> str:
    """For example `2 live, 1 stopped`."""
    counted = Counter(channel.state for channel in channels)
    return ", ".join(f"{count} {state}" for state, count in counted.most_common())


def _title(snapshot: Snapshot) -> Text:
    status = snapshot.status
    if not status.now:
        return Text("Ringside", "bold")
    count = "1 channel" if len(status.channels) == 1 else f"{len(status.channels)} channels"
    states = f": {_state_counts(status.channels)}" if status.channels else ""
    return plain(f"Ringside {status.version}  {status.now[:19]}Z  {count}{states}", "bold")


def _table(columns: Sequence[Column], rows: Sequence[Row], width: int) -> Table:
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=0)
    shown = [column for column in columns if column.width <= width]
    for column in shown:
        table.add_column(
            column.title,
            justify="left" if column.is_text else "right",
            no_wrap=not column.shrinks,
            overflow="ellipsis",
        )
    for row in rows:
        table.add_row(*(column.cell(row) for column in shown))
    return table


def _notes(channels: Sequence[ChannelRow], *, wrapped: bool) -> Iterator[Text]:
    """Problems, then advice for encoders; each in one line, or `wrapped`."""
    for note in (*_problems(channels), *_advice(channels)):
        note.no_wrap = not wrapped
        yield note


def _problems(channels: Iterable[ChannelRow]) -> Iterator[Text]:
    for channel in channels:
        if channel.problem:
            time = f"{channel.problem_at[11:19]} " if channel.problem_at else ""
            yield plain(f"{channel.name}: {time}{channel.problem}", "yellow")


def _advice(channels: Iterable[ChannelRow]) -> Iterator[Text]:
    for row in _feed_rows(channels):
        for sentence in row.feed.advice:
            yield plain(f"{row.channel.name}, {row.feed.label}: {sentence}")
