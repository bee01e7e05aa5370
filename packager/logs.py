"""Structured logs: events with fields, one a line, on standard error."""

import sys
from contextlib import suppress
from io import TextIOBase
from typing import TextIO, cast

import structlog


class _Lossy(TextIOBase):
    """A stream whose failures are nobody's: a log on a full disk must not stop the media."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write as far as it goes."""
        with suppress(OSError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Flush as far as it goes."""
        with suppress(OSError):
            self._stream.flush()


def configure() -> None:
    """JSON lines where a machine reads, coloured words where a person does."""
    person = sys.stderr.isatty()
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer() if person else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        logger_factory=structlog.PrintLoggerFactory(cast("TextIO", _Lossy(sys.stderr))),
        cache_logger_on_first_use=True,
    )
