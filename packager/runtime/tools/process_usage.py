"""CPU time and memory of processes, from Linux' /proc."""

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from packager.timing.clock import monotonic

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class CpuReading:
    """CPU seconds up to an instant."""

    at: float
    """Monotonic seconds."""
    ffmpeg: float
    packager: float
    busy: float
    """Of all processes, summed over all cores."""
    idle: float
    """Unused, summed over all cores."""

    @classmethod
    def of(cls, ffmpeg: int) -> Self:
        """A reading of the process `ffmpeg`, of this process and of the machine."""
        own = os.times()
        busy, idle = _machine_cpu()
        return cls(monotonic(), _process_cpu(ffmpeg), own.user + own.system, busy, idle)


def _machine_cpu() -> tuple[float, float]:
    """CPU seconds used and unused (proc(5), the first line of `stat`)."""
    first = Path("/proc/stat").read_text().partition("\n")[0]
    user, nice, system, idle, waiting, *others = map(int, first.split()[1:9])
    busy = user + nice + system + sum(others)
    return busy / _TICKS_PER_SECOND, (idle + waiting) / _TICKS_PER_SECOND


def _process_cpu(pid: int) -> float:
    """CPU seconds of a process (proc(5), fields 14 and 15 of `stat`)."""
    after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(after_name[11]) + int(after_name[12])) / _TICKS_PER_SECOND


def peak_memory(pid: int) -> int:
    """Most bytes of memory that a process has used."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) << 10
    return 0
