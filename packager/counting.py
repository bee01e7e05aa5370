"""Counting in several processes: each writes its own files in one folder, one reads them all."""

import os
from pathlib import Path

from packager.errors import SetupError
from packager.layout import METRICS


def count_together(data: Path) -> None:
    """Have this process's metrics counted in the data folder's common place.

    Call it before any metric is made: prometheus_client decides at their creation.

    Raises:
        SetupError: the folder cannot be made.
    """
    folder = data / METRICS
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SetupError(f"data directory {data}: {error.strerror}") from error
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)
    from prometheus_client import values  # noqa: PLC0415 - reads the line above when imported

    # It would ask the kernel for the process id at every count, in case of a fork: none here.
    process = os.getpid()
    values.ValueClass = values.MultiProcessValue(lambda: process)  # type: ignore[no-untyped-call]
