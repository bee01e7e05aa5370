"""The access log: a line of JSON for a request, written while nobody waits for it.

A line names the path without token and query: those are the viewer's own.
"""

import os
import sys
import threading
from collections.abc import Callable
from queue import Full, Queue
from typing import Any, Literal, NamedTuple

import msgspec

from origin.access import shown
from origin.runtime import metrics
from packager.ticks import UtcMicros, iso8601

Mode = Literal["off", "errors", "sampled", "full"]

_SAMPLE = 100
"""Of so many answers that are no errors one is logged."""
_MOST_ERRORS = 200
"""Lines of errors between two flushes: a flood of them says no more than the first."""
_MOST_LINES = 100_000
"""Between two flushes."""
_BLOCKS = 256
"""What was flushed and is not written yet."""
_NEVER = 1 << 62
LONGEST_PATH = 512
"""Characters of it that are logged."""
ERROR = 400
"""The first status that is one."""


class Entry(NamedTuple):
    """A request that was answered."""

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
    """To the first byte; 0 for what was at hand."""


class AccessLog:
    """Collects entries; `flush` writes them."""

    def __init__(self, mode: Mode, write: Callable[[bytes], None]) -> None:
        """Log what `mode` says; `write` must not wait."""
        self.every = {"off": _NEVER, "errors": _NEVER, "sampled": _SAMPLE, "full": 1}[mode]
        """Of so many answers one is to be noted; `note_error` for errors, all of them."""
        self._errors = mode != "off"
        self._write = write
        self._entries: list[Entry] = []
        self._error_count = 0
        self._dropped = 0

    def note(self, entry: Entry) -> None:
        """Log it, unless there is too much."""
        if len(self._entries) < _MOST_LINES:
            self._entries.append(entry)
        else:
            self._dropped += 1

    def wants_error(self) -> bool:
        """Whether one more error is to be noted."""
        self._error_count += self._errors
        if self._error_count > _MOST_ERRORS:
            self._dropped += 1
            return False
        return self._errors

    def flush(self, at_most: int = _MOST_LINES) -> int:
        """Write what was noted, `at_most` so many lines of it; how many are left."""
        if self._dropped:
            metrics.DROPPED_LINES.inc(self._dropped)
        self._error_count = self._dropped = 0
        entries, self._entries = self._entries[:at_most], self._entries[at_most:]
        if entries:
            self._write(b"".join(map(_line, entries)))
        return len(self._entries)


def _line(entry: Entry) -> bytes:
    said: dict[str, Any] = {"event": "request", "timestamp": iso8601(entry.at)}
    for name, value in zip(Entry._fields[1:], entry[1:], strict=True):
        if value:
            said[name] = _clean(value) if isinstance(value, str) else value
    return msgspec.json.encode(said) + b"\n"


def _clean(text: str) -> str:
    """`text` as Unicode, whatever octets a client has sent, and without any token."""
    return shown(text.encode("utf-8", "replace").decode())


class Writer:
    """Writes to standard error in its own thread, so that a reader who is slow holds nobody."""

    def __init__(self) -> None:
        """Begin to write."""
        self._blocks: Queue[bytes | None] = Queue(_BLOCKS)
        self._thread = threading.Thread(target=self._work, name="access-log", daemon=True)
        self._thread.start()

    def write(self, block: bytes) -> None:
        """Have a block of lines written, or dropped if too much is waiting."""
        try:
            self._blocks.put_nowait(block)
        except Full:
            metrics.DROPPED_LINES.inc(block.count(b"\n"))

    def close(self) -> None:
        """Write what is waiting, as far as it goes at once."""
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
                # A log that cannot be written stops nothing.
                metrics.DROPPED_LINES.inc(bytes(rest).count(b"\n"))
