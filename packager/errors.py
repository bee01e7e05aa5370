"""The family of errors.

RingsideError
├── ConfigError        a configuration or ladder that cannot be used (file, path, reason)
├── SetupError         the machine cannot run what was asked (port, directory, ffmpeg)
├── MediaError         bytes that are not the media they claim to be (byte offset, box path)
│   └── CodecError     media in a codec that cannot be packaged
├── FeedError          a source that cannot be packaged (no video, unknown codec, …)
└── DiskError          what a disk did not do
    ├── JournalError   a journal that cannot be read or written
    └── StoreError     media bytes that could not be stored or read

Each is raised where the cause is known and reads as one line.
"""

from errno import EDQUOT, ENOSPC


class RingsideError(Exception):
    """Anything that Ringside reports by name."""


class ConfigError(RingsideError):
    """A configuration that cannot be used; reads `file: path: reason`."""

    def __init__(self, file: str, path: str, reason: str) -> None:
        super().__init__(f"{file}: {path}: {reason}" if path else f"{file}: {reason}")
        self.file = file
        self.path = path
        self.reason = reason


class SetupError(RingsideError):
    """The machine cannot run what was asked: a port, a directory, a program."""


class MediaError(RingsideError):
    """Bytes that are not the media they claim to be."""

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
    """What a disk did not do."""

    def __init__(self, reason: str, cause: OSError | None = None) -> None:
        super().__init__(reason)
        self.full = cause is not None and cause.errno in {ENOSPC, EDQUOT}
        """For want of room."""


class JournalError(DiskError):
    """A journal that cannot be read or written."""


class StoreError(DiskError):
    """Media bytes that could not be stored or read."""
