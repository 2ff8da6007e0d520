"""One line of ``/proc/<pid>/stat``, the kernel's summary of a process."""

from __future__ import annotations

import os
from sys import intern
from typing import NamedTuple

PAGE_KIB = os.sysconf("SC_PAGE_SIZE") // 1024
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")

GONE = (FileNotFoundError, ProcessLookupError)
"""What reading a process raises that has ended, before or after its file was opened."""

UNREADABLE = (*GONE, PermissionError)
"""What a pass over all processes steps over: the ended and those that it may not see."""

_LONGEST_LINE = 2048


class ProcStat(NamedTuple):
    """The fields in use here. Times in clock ticks, ``start_ticks`` since boot; sizes in KiB."""

    name: str
    state: str
    session: int
    cpu_ticks: int
    reaped_ticks: int
    """CPU time of the children that it has waited for."""
    threads: int
    start_ticks: int
    vsize: int
    rss: int
    start_stack: int
    """An address that is drawn anew by each exec; 0 if it is kept from the agent."""

    @property
    def alive(self) -> bool:
        """A zombie is dead, unless only its first thread ended and others go on."""
        return self.state not in "ZXx" or self.threads > 1


def read_beginning(path: str, size: int) -> bytes:
    """At most ``size`` bytes of a pseudo-file, with three system calls (``open`` makes more).

    Raises one of ``GONE`` if there is no such process.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(descriptor, size)
    finally:
        os.close(descriptor)


def read_stat_line(path: str) -> bytes:
    """The raw line; raises one of ``GONE`` if there is no process."""
    return read_beginning(path, _LONGEST_LINE)


def session_of(line: bytes) -> int:
    """The session alone: all that a foreign process is asked for.

    The name may hold spaces and brackets, so the numbers begin after the last bracket.
    """
    return int(line[line.rindex(b")") + 2 :].split(b" ", 4)[3])


def processor_of(line: bytes) -> int:
    """The processor that it runs on, or ran on last."""
    return int(line[line.rindex(b")") + 2 :].split()[36])


def parse_stat(line: bytes) -> ProcStat:
    """All fields in use."""
    end = line.rindex(b")")
    fields = line[end + 2 :].split()
    return ProcStat(
        name=intern(line[line.index(b"(") + 1 : end].decode("utf-8", "replace")),
        state=fields[0].decode("ascii"),
        session=int(fields[3]),
        cpu_ticks=int(fields[11]) + int(fields[12]),
        reaped_ticks=int(fields[13]) + int(fields[14]),
        threads=int(fields[17]),
        start_ticks=int(fields[19]),
        vsize=int(fields[20]) // 1024,
        rss=int(fields[21]) * PAGE_KIB,
        start_stack=int(fields[25]),
    )
