"""The access log: a line of JSON for each request, written by a thread.

A line has the path without token and query, which identify the viewer.
"""

import os
import sys
import threading
from collections.abc import Callable
from queue import Full, Queue
from typing import Any, Literal, NamedTuple

import msgspec

from origin.access.playback import shown
from origin.runtime.telemetry import metrics
from packager.timing.ticks import UtcMicros, iso8601

Mode = Literal["off", "errors", "sampled", "full"]

_SAMPLE = 100
"""One in this many successful responses is logged."""
_MOST_ERRORS = 200
"""Maximum error lines between two flushes."""
_MOST_LINES = 100_000
"""Maximum lines between two flushes."""
_BLOCKS = 256
"""Maximum blocks that wait for the thread."""
_NEVER = 1 << 62
LONGEST_PATH = 512
"""Maximum logged characters of a path."""
ERROR = 400
"""The lowest status of an error."""


class LogEntry(NamedTuple):
    """An answered request."""

    at: UtcMicros
    method: str
    path: str
    """Without token and query."""
    channel: str
    kind: str
    status: int
    octets: int
    """Bytes of the body."""
    request_id: str
    trace: str
    client: str
    forwarded: str
    agent: str
    seconds: float
    """Time to the first byte; 0 for cached responses."""


class AccessLog:
    """Collects entries; `flush` writes them."""

    def __init__(self, mode: Mode, write: Callable[[bytes], None]) -> None:
        """Log by `mode`; `write` must not block."""
        self.every = {"off": _NEVER, "errors": _NEVER, "sampled": _SAMPLE, "full": 1}[mode]
        """One in this many responses is logged; errors follow `wants_error`."""
        self._errors = mode != "off"
        self._write = write
        self._entries: list[LogEntry] = []
        self._error_count = 0
        self._dropped = 0

    def note(self, entry: LogEntry) -> None:
        """Log a request, up to the maximum of lines."""
        if len(self._entries) < _MOST_LINES:
            self._entries.append(entry)
        else:
            self._dropped += 1

    def wants_error(self) -> bool:
        """Whether to log one more error."""
        self._error_count += self._errors
        if self._error_count > _MOST_ERRORS:
            self._dropped += 1
            return False
        return self._errors

    def flush(self, at_most: int = _MOST_LINES) -> int:
        """Write up to `at_most` lines; return the number of remaining ones."""
        if self._dropped:
            metrics.DROPPED_LINES.inc(self._dropped)
        self._error_count = self._dropped = 0
        entries, self._entries = self._entries[:at_most], self._entries[at_most:]
        if entries:
            self._write(b"".join(map(_line, entries)))
        return len(self._entries)


def _line(entry: LogEntry) -> bytes:
    fields: dict[str, Any] = {"event": "request", "timestamp": iso8601(entry.at)}
    for name, value in zip(LogEntry._fields[1:], entry[1:], strict=True):
        if value:
            fields[name] = _clean(value) if isinstance(value, str) else value
    return msgspec.json.encode(fields) + b"\n"


def _clean(text: str) -> str:
    """`text` as valid Unicode, without tokens."""
    return shown(text.encode("utf-8", "replace").decode())


class LogWriter:
    """Writes to standard error in a thread, so that a slow reader delays no request."""

    def __init__(self) -> None:
        """Start the thread."""
        self._blocks: Queue[bytes | None] = Queue(_BLOCKS)
        self._thread = threading.Thread(target=self._work, name="access-log", daemon=True)
        self._thread.start()

    def write(self, block: bytes) -> None:
        """Queue a block of lines; drop it if the queue is full."""
        try:
            self._blocks.put_nowait(block)
        except Full:
            metrics.DROPPED_LINES.inc(block.count(b"\n"))

    def close(self) -> None:
        """Write queued blocks for up to a second, then stop."""
        try:
            self._blocks.put_nowait(None)
        except Full:
            return
        self._thread.join(1.0)

    def _work(self) -> None:
        descriptor = sys.stderr.fileno()
        while (block := self._blocks.get()) is not None:
            rest = memoryview(block)
            try:
                while rest:
                    rest = rest[os.write(descriptor, rest) :]
            except OSError:
                # A failing log must not stop the origin.
                metrics.DROPPED_LINES.inc(bytes(rest).count(b"\n"))
