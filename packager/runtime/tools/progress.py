"""Progress of a command, on standard error while that is a terminal."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
)
from rich.text import Text


@dataclass(slots=True)
class TransferCount:
    """Connections and bytes that were recorded or sent so far."""

    connections: int = 0
    size: int = 0
    """Bytes."""

    def in_words(self) -> str:
        """For example `1 connection, 188 bytes`."""
        return f"{self.connections} connection{'s' * (self.connections != 1)}, {self.size} bytes"


class LiveText(ProgressColumn):
    """A column whose text is computed at each refresh."""

    def __init__(self, text: Callable[[], str]) -> None:
        super().__init__()
        self._text = text

    def render(self, task: Task) -> Text:
        """See rich."""
        del task
        return Text(self._text())


MEDIA = TextColumn("{task.completed:.1f} s of media")
"""A column for progress in seconds of media."""


@contextmanager
def progress(title: str, *columns: ProgressColumn) -> Generator[None]:
    """Show `columns` and the elapsed time until the block ends; for work of unknown length."""
    with _terminal(SpinnerColumn(), TextColumn(title), *columns, TimeElapsedColumn()) as shown:
        shown.add_task(title, total=None)
        yield


@contextmanager
def bar(
    title: str, total: float | None, column: ProgressColumn
) -> Generator[Callable[[float], None]]:
    """Show a bar until the block ends; the result takes the amount that is done of `total`."""
    with _terminal(TextColumn(title), BarColumn(), column, TimeElapsedColumn()) as shown:
        task = shown.add_task(title, total=total)
        yield lambda done: shown.update(task, completed=done)


def _terminal(*columns: ProgressColumn) -> Progress:
    console = Console(stderr=True)
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
