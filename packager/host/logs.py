"""Structured logs: one event with its fields on each line, on standard error."""

import sys
from collections.abc import Callable
from contextlib import suppress
from io import TextIOBase
from typing import TextIO, cast

import structlog


class _Lossy(TextIOBase):
    """A stream that ignores failures: a log on a full disk must not stop the media."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write as much as possible; Python raises ValueError for a closed stream."""
        with suppress(OSError, ValueError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Flush as much as possible."""
        with suppress(OSError, ValueError):
            self._stream.flush()


class _Handed(TextIOBase):
    """A stream that calls a function with each write."""

    def __init__(self, write: Callable[[bytes], None]) -> None:
        self._write = write

    def write(self, text: str) -> int:
        """Call the function."""
        self._write(text.encode("utf-8", "replace"))
        return len(text)


def configure(write: Callable[[bytes], None] | None = None) -> None:
    """Write JSON lines, or coloured text to a terminal.

    They go to standard error, or to `write` in a process that must not wait for a slow reader.
    """
    is_terminal = sys.stderr.isatty()
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer() if is_terminal else structlog.processors.JSONRenderer()
    )
    stream = _Lossy(sys.stderr) if write is None else _Handed(write)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        # A line and its end are one write: several processes write to the same file.
        logger_factory=structlog.WriteLoggerFactory(cast("TextIO", stream)),
        cache_logger_on_first_use=True,
    )
