"""The errors that Ringside reports.

RingsideError
├── ConfigError        a configuration or ladder that cannot be used, with all its problems
├── SetupError         a port, directory or program that the machine cannot provide
├── MediaError         bytes that are not valid media (byte offset, box)
│   └── CodecError     media in a codec that cannot be packaged
├── FeedError          a source that cannot be packaged (no video, unknown codec, …)
└── DiskError          a disk operation that failed
    ├── JournalError   a journal that cannot be read or written
    └── StoreError     media that cannot be stored or read

Each error is raised where the cause is known, and its text is one line (of a ConfigError: one line
for each problem).
"""

from dataclasses import dataclass
from errno import EDQUOT, ENOSPC


class RingsideError(Exception):
    """The base of all errors."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A fault of a configuration; its text is `file:line:column: path: reason: remedy`."""

    file: str
    path: str
    """Keys from the top of the file, as `channels.tv.source.port`; empty for the whole file."""
    reason: str
    remedy: str = ""
    line: int = 0
    """Counts from 1; 0 if the position is unknown."""
    column: int = 0
    """Counts from 1."""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        return ": ".join(part for part in (place, self.path, self.reason, self.remedy) if part)


class ConfigError(RingsideError):
    """A configuration that cannot be used; its text has one line for each problem."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


class SetupError(RingsideError):
    """A port, directory or program that the machine cannot provide."""


class MediaError(RingsideError):
    """Bytes that are not valid media."""

    def __init__(self, reason: str, *, offset: int = 0, box: str = "") -> None:
        place = f"byte {offset}" + (f", box {box}" if box else "")
        super().__init__(f"{reason} ({place})")
        self.reason = reason
        self.offset = offset
        self.box = box


class CodecError(MediaError):
    """Media in a codec that cannot be packaged."""


class FeedError(RingsideError):
    """A feed that cannot be packaged as configured."""


class DiskError(RingsideError):
    """A disk operation that failed."""

    def __init__(self, reason: str, cause: OSError | None = None) -> None:
        super().__init__(reason)
        self.full = cause is not None and cause.errno in {ENOSPC, EDQUOT}
        """Whether the disk is full."""


class JournalError(DiskError):
    """A journal that cannot be read or written."""


class StoreError(DiskError):
    """Media that cannot be stored or read."""
