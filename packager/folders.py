"""The folders that channels are kept in."""

from collections.abc import Iterable
from pathlib import Path

from packager.errors import SetupError


def make_folders(data: Path, channels: Iterable[str]) -> None:
    """Make those of `channels` that are not there yet: what is not there cannot be watched.

    Raises:
        SetupError: one cannot be had.
    """
    try:
        for name in channels:
            (data / name).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SetupError(f"data directory {data}: {error.strerror}") from error
