"""The clocks: monotonic time, CPU time of processes, CPU time of the machine."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass

from benchmarks.accounting import descendants

now = time.monotonic

_TICKS = os.sysconf("SC_CLK_TCK")


def milliseconds(began: float, ended: float) -> float:
    """A stretch of monotonic time, in ms."""
    return (ended - began) * 1e3


def cpu_seconds(pid: int) -> float:
    """CPU time of a live process to the nanosecond, its ended threads included.

    This is CLOCK_PROCESS_CPUTIME_ID of another process: the id is made of the pid as the kernel's
    clock ids are (~pid << 3, plus 2 for the scheduler's clock).
    """
    return time.clock_gettime((~pid << 3) | 2)


def children_cpu_seconds(pid: int) -> float:
    """CPU time of all that came from a process, living or reaped, in ticks of 10 ms as seconds."""
    return (_reaped(pid) + sum(_own(child) + _reaped(child) for child in descendants(pid))) / _TICKS


def _own(pid: int) -> int:
    return sum(map(int, _stat(pid)[11:13]))


def _reaped(pid: int) -> int:
    return sum(map(int, _stat(pid)[13:15]))


def _stat(pid: int) -> list[str]:
    """What follows the name; nothing of a process that is gone."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stat:
            return stat.read().rsplit(")", 1)[1].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


@dataclass(frozen=True, slots=True)
class MachineClock:
    """CPU seconds that the whole machine was busy, and that its host took away, since boot."""

    busy: float
    steal: float

    @classmethod
    def read(cls) -> MachineClock:
        """The clock as it stands."""
        with open("/proc/stat", encoding="ascii") as stat:
            user, nice, system, _, _, irq, softirq, steal = (
                int(x) for x in stat.readline().split()[1:9]
            )
        busy = user + nice + system + irq + softirq + steal
        return cls(busy / _TICKS, steal / _TICKS)

    def since(self, earlier: MachineClock) -> dict[str, float]:
        """What the machine did in between, for judging how quiet a round was."""
        return {
            "machine_busy_s": round(self.busy - earlier.busy, 3),
            "machine_steal_s": round(self.steal - earlier.steal, 3),
        }
