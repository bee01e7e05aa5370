"""Counts the restarts of origin workers, from the supervisor."""

import os
from pathlib import Path
from typing import Protocol, cast

from prometheus_client.mmap_dict import MmapedDict, mmap_key

from packager.runtime.telemetry.metrics import ORIGIN_RESTARTS


class _Values(Protocol):
    """The part of the library's class that is used; the library has no types for it."""

    def read_value(self, key: str) -> tuple[float, float]: ...

    def write_value(self, key: str, value: float, timestamp: float) -> None: ...

    def close(self) -> None: ...


class OriginRestarts:
    """A counter in the metrics folder, as a `Counter` of a child process would write it.

    prometheus_client finds the folder by the environment alone, and only the supervisor's children
    have it in theirs. So the supervisor writes its one metric with the library's file format.
    """

    def __init__(self, folder: Path) -> None:
        """Count in `folder`, from zero."""
        self._values = cast("_Values", MmapedDict(str(folder / f"counter_{os.getpid()}.db")))  # type: ignore[no-untyped-call]
        family = next(iter(ORIGIN_RESTARTS.describe()))
        self._key = mmap_key(family.name, f"{family.name}_total", [], [], family.documentation)
        self._count = self._values.read_value(self._key)[0]

    def inc(self) -> None:
        """Add one."""
        self._count += 1
        self._values.write_value(self._key, self._count, 0.0)

    def close(self) -> None:
        """Close the file; its count stays."""
        self._values.close()
