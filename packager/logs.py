"""Structured logs: events with fields, one a line, on standard error."""

import sys
from collections.abc import Callable
from contextlib import suppress
from io import TextIOBase
from typing import TextIO, cast

import structlog


class _Lossy(TextIOBase):
    """A stream whose failures are nobody's: a log on a full disk must not stop the media."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write as far as it goes; Python tells by a ValueError that a stream is closed."""
        with suppress(OSError, ValueError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Flush as far as it goes."""
        with suppress(OSError, ValueError):
            self._stream.flush()


class _Handed(TextIOBase):
    """A stream that hands on what is written."""

    def __init__(self, write: Callable[[bytes], None]) -> None:
        self._write = write

    def write(self, text: str) -> int:
        """Hand it on."""
        self._write(text.encode("utf-8", "replace"))
        return len(text)


def configure(write: Callable[[bytes], None] | None = None) -> None:
    """JSON lines where a machine reads, coloured words where a person does.

    They go to standard error, or to `write`, for a process that must not wait for a slow reader.
    """
    person = sys.stderr.isatty()
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer() if person else structlog.processors.JSONRenderer()
    )
    stream = _Lossy(sys.stderr) if write is None else _Handed(write)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        # A line is one write, its end too: several processes write to the same file.
        logger_factory=structlog.WriteLoggerFactory(cast("TextIO", stream)),
        cache_logger_on_first_use=True,
    )
