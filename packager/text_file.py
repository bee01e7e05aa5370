"""Reads the texts that people write: configurations and ladders."""

import os
import stat
from pathlib import Path

from packager.errors import ConfigError
from packager.yaml_text import MAX_TEXT


def read(path: Path, file: str, where: str = "") -> str:
    """The text in `path`, which is `file` itself or else what `where` of `file` names.

    Raises:
        ConfigError: there is none.
    """
    prefix = f"{path}: " if where else ""
    if (reason := fault(path)) is not None:
        raise ConfigError(file, where, f"{prefix}{reason}")
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_TEXT + 1)
        if len(data) > MAX_TEXT:
            raise ConfigError(file, where, f"{prefix}longer than {MAX_TEXT // 1024} KiB")
        return data.decode()
    except OSError as error:
        raise ConfigError(file, where, f"{prefix}{error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(file, where, f"{prefix}not UTF-8 (byte {error.start})") from None


def fault(path: Path) -> str | None:
    """Why `path` is not a file that can be read, or None where it is one.

    Only a regular file has an end for sure: a pipe may never say a word.
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
