"""The folders of channels."""

from collections.abc import Iterable
from pathlib import Path

from packager.errors import SetupError


def make_folders(data: Path, channels: Iterable[str]) -> None:
    """Make the missing folders of `channels`: inotify cannot watch a folder that does not exist.

    Raises:
        SetupError: one cannot be made.
    """
    try:
        for name in channels:
            (data / name).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SetupError(f"data directory {data}: {error.strerror}") from error
