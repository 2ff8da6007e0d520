"""The processes of all frames, by one pass over ``/proc``.

A process belongs to a frame by its pid (read from the frame's cgroup) or else by its
session, never by its parent. A foreign process costs one read of its ``stat``; only
members get the further reads.
"""

from __future__ import annotations

import os
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from rqd.system.boottime import read_boot_time
from rqd.system.procstat import (
    TICKS_PER_SECOND,
    UNREADABLE,
    ProcStat,
    parse_stat,
    read_stat_line,
    session_of,
)
from rqd.system.pss import Pss

_LONGEST_CMDLINE = 2048
"""Bytes that are read of a command line: reports with many processes must stay small."""


class ProcessSample(NamedTuple):
    """One process at one moment. Sizes in KiB, times in seconds."""

    pid: int
    name: str
    state: str
    cmdline: str
    started: float
    """Seconds since the epoch; right to a second, the same in every sample."""
    cpu_seconds: float
    rss: int
    vsize: int
    pss: int
    swap: int
    reaped_seconds: float = 0.0
    """CPU time of the children that it has waited for, theirs included."""


@dataclass(slots=True)
class _Member:
    """What is remembered of a process from one pass to the next.

    The command line is read once for each program that the process runs. The kernel may keep
    its readers waiting for as long as a page of that program is on its way from a dead mount,
    so the fewer the better; that some programs rewrite theirs is not worth it.
    """

    started: float
    pss: Pss
    program: tuple[str, int] | None = None
    cmdline: str = ""

    def command_line(self, folder: str, stat: ProcStat) -> str:
        """The command line, or the name in brackets where there is none."""
        program = stat.name, stat.start_stack
        if program != self.program:
            self.cmdline = _cmdline(folder) or f"[{stat.name}]"
            self.program = program
        return self.cmdline


class ProcessReader:
    """Reads ``/proc``, and remembers of each member what is dear to read again.

    Plain files and no state but its own: may run in a thread, one ``read`` at a time.
    """

    def __init__(self, proc_root: str = "/proc") -> None:
        self._root = proc_root
        self._members: dict[tuple[int, int], _Member] = {}

    def read(
        self,
        sessions: Mapping[int, str],
        pids: Mapping[int, str],
        without: Container[int] = frozenset(),
    ) -> dict[str, list[ProcessSample]]:
        """The live processes of each key that has any; zombies are dead and left out.

        A key that is missing was not seen: that is all it says. With no sessions and pids to
        look for, nothing is read.
        """
        found: dict[str, list[ProcessSample]] = {}
        members: dict[tuple[int, int], _Member] = {}
        for pid, key, line in _raw_members(self._root, sessions, pids):
            if pid in without:
                continue
            stat = parse_stat(line)
            if not stat.alive:
                continue
            member = self._member(pid, stat.start_ticks)
            try:
                sample = _sample(f"{self._root}/{pid}", pid, stat, member)
            except UNREADABLE:
                continue
            members[pid, stat.start_ticks] = member
            found.setdefault(key, []).append(sample)
        self._members = members
        return found

    def _member(self, pid: int, start_ticks: int) -> _Member:
        """The start is worked out once: the boot time moves when the clock is set."""
        known = self._members.get((pid, start_ticks))
        if known is not None:
            return known
        boot_time = read_boot_time(f"{self._root}/stat")
        return _Member(boot_time + start_ticks / TICKS_PER_SECOND, Pss())


def _raw_members(
    root: str, sessions: Mapping[int, str], pids: Mapping[int, str]
) -> Iterator[tuple[int, str, bytes]]:
    """Pid, key and stat line of every member. This is the hot path: see the benchmarks."""
    if not sessions and not pids:
        return
    for entry in os.listdir(root):
        if not entry.isdigit():
            continue
        try:
            line = read_stat_line(f"{root}/{entry}/stat")
        except UNREADABLE:
            continue
        pid = int(entry)
        key = pids.get(pid) or sessions.get(session_of(line))
        if key is not None:
            yield pid, key, line


def _sample(folder: str, pid: int, stat: ProcStat, member: _Member) -> ProcessSample:
    """A member with what only members are asked for."""
    return ProcessSample(
        pid=pid,
        name=stat.name,
        state=stat.state,
        cmdline=member.command_line(folder, stat),
        started=member.started,
        cpu_seconds=stat.cpu_ticks / TICKS_PER_SECOND,
        rss=stat.rss,
        vsize=stat.vsize,
        pss=member.pss.sample(folder, stat.rss),
        swap=_swap(folder),
        reaped_seconds=stat.reaped_ticks / TICKS_PER_SECOND,
    )


def _cmdline(folder: str) -> str:
    """The command line as one text; bytes that are no UTF-8 are replaced, as protobuf demands."""
    with open(f"{folder}/cmdline", "rb", buffering=0) as cmdline:
        line = cmdline.read(_LONGEST_CMDLINE) or b""
    return line.rstrip(b"\0").replace(b"\0", b" ").decode("utf-8", "replace")


def _swap(folder: str) -> int:
    """Memory of the process that is swapped out; 0 where the kernel keeps no count."""
    with open(f"{folder}/status", "rb", buffering=0) as status:
        text = status.read(8192) or b""
    _, found, rest = text.partition(b"\nVmSwap:")
    return int(rest.split(None, 1)[0]) if found else 0
