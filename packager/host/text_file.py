"""Reads text files that users write: configurations, ladders and devices."""

import os
import stat
from pathlib import Path

from packager.config.yaml_reader import MAX_TEXT
from packager.errors import ConfigError, Problem

_MISSING = "check the path; a relative one starts from the folder of the file that names it"


class TextFileError(Exception):
    """A file that cannot be read as text, with a reason and a remedy."""

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.remedy = remedy


def read(path: Path, file: str) -> str:
    """The text in `path`; errors call it `file`.

    Raises:
        ConfigError: the file cannot be read.
    """
    try:
        return read_text(path)
    except TextFileError as error:
        raise ConfigError(Problem(file, "", error.reason, error.remedy)) from None


def read_text(path: Path) -> str:
    """The text in `path`.

    Raises:
        TextFileError: the file cannot be read, is too long, or is not UTF-8.
    """
    if (reason := fault(path)) is not None:
        raise TextFileError(reason, _MISSING)
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_TEXT + 1)
    except OSError as error:
        raise TextFileError(str(error.strerror), _MISSING) from None
    if len(data) > MAX_TEXT:
        raise TextFileError(f"longer than {MAX_TEXT // 1024} KiB", "remove comments, or split it")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise TextFileError(f"not UTF-8 (byte {error.start})", "save it as UTF-8") from None


def fault(path: Path) -> str | None:
    """The reason why `path` is not a file that can be read; None if it can be read.

    Only a regular file is certain to end: a pipe can stay open without a byte.
    """
    try:
        mode = path.stat().st_mode
    except OSError as error:
        return error.strerror
    if stat.S_ISDIR(mode):
        return "a folder, not a file"
    if not stat.S_ISREG(mode):
        return "not a regular file"
    return None if os.access(path, os.R_OK) else "no permission to read it"
