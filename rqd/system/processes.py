"""The processes of all frames, by one pass over those that matter.

A process belongs to a frame by its pid (read from the frame's cgroup) or else by its
session, never by its parent. Where all frames have cgroups no other process is looked at; by
session, a foreign process costs one system call.

Of a member, ``stat`` is read in each pass, and all else only if there may be news: the command
line of a new program, swap where the host uses any, pss in turns.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from typing import NamedTuple

from rqd.system.boottime import read_boot_time
from rqd.system.memory import read_memory
from rqd.system.procstat import (
    TICKS_PER_SECOND,
    UNREADABLE,
    ProcStat,
    parse_stat,
    read_beginning,
    read_stat_line,
)
from rqd.system.pss import Pss, PssTurns, shared_part
from rqd.system.sessions import in_sessions

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


class ProcessReader:
    """Reads ``/proc``, and remembers of each member what is dear to read again.

    Plain files and no state but its own: may run in a thread, one ``read`` at a time.
    """

    def __init__(self, proc_root: str = "/proc", turns: PssTurns | None = None) -> None:
        self._root = proc_root
        self._turns = turns or PssTurns()
        self._members: dict[int, _Member] = {}
        self._boot_time: int | None = None

    def read(
        self,
        sessions: Mapping[int, str],
        pids: Mapping[int, str],
        without: Container[int] = frozenset(),
    ) -> dict[str, list[ProcessSample]]:
        """The live processes of each key that has any; zombies are dead and left out.

        A process that is the same as in the last pass is the same sample, not an equal one. A
        key that is missing was not seen: that is all it says. With no sessions and pids to look
        for, nothing is read.
        """
        self._boot_time = None
        groups: dict[str, list[_Member]] = {}
        members: dict[int, _Member] = {}
        for pid, key in self._belonging(sessions, pids):
            member = None if pid in without else self._look(pid)
            if member is not None:
                members[pid] = member
                groups.setdefault(key, []).append(member)
        self._members = members
        self._turns.take([member.pss for member in members.values() if not member.waits])
        swaps = bool(members) and _swaps(self._root)
        return {key: samples for key, group in groups.items() if (samples := _all(group, swaps))}

    def _belonging(
        self, sessions: Mapping[int, str], pids: Mapping[int, str]
    ) -> Iterator[tuple[int, str]]:
        """Pid and key of each member, those of a cgroup first: they are no matter of session."""
        yield from pids.items()
        if sessions:
            for pid, session in in_sessions(sessions, self._root):
                if pid not in pids:
                    yield pid, sessions[session]

    def _look(self, pid: int) -> _Member | None:
        """The process as it is now; None if it is dead, or dies while it is looked at."""
        try:
            line = read_stat_line(f"{self._root}/{pid}/stat")
            known, seen = self._members.get(pid), hash(line)
            if known is not None and known.seen == seen:
                return known
            stat = parse_stat(line)
            if not stat.alive:
                return None
            if known is None or known.stat.start_ticks != stat.start_ticks:
                known = _Member(f"{self._root}/{pid}", pid, self._start(stat), seen, stat)
            known.look(seen, stat)
        except (*UNREADABLE, ValueError, IndexError):
            return None
        return known

    def _start(self, stat: ProcStat) -> float:
        """Worked out once for each process: the boot time moves when the clock is set."""
        if self._boot_time is None:
            self._boot_time = read_boot_time(f"{self._root}/stat")
        return self._boot_time + stat.start_ticks / TICKS_PER_SECOND


class _Member:
    """What is remembered of a process from one pass to the next.

    The command line is read once for each program that the process runs. Some programs rewrite
    theirs; to show that is not worth a file in each pass. ``seen`` is a hash of the line that
    ``stat`` was: the line itself would be a kibibyte for every three processes.
    """

    __slots__ = (
        "_cmdline",
        "_folder",
        "_pid",
        "_program",
        "_sample",
        "_started",
        "pss",
        "seen",
        "stat",
    )

    def __init__(self, folder: str, pid: int, started: float, seen: int, stat: ProcStat) -> None:
        self._folder = folder
        self._pid = pid
        self._started = started
        self._program: tuple[str, int] | None = None
        self._cmdline = ""
        self._sample: ProcessSample | None = None
        self.seen = seen
        self.stat = stat
        self.pss = Pss(folder)

    @property
    def waits(self) -> bool:
        """Whether the kernel might keep us waiting for its memory's sake, as it waits itself.

        It may hold the lock of its memory while a page is on its way, from a dead mount at worst.
        """
        return self.stat.state == "D"

    def look(self, seen: int, stat: ProcStat) -> None:
        """Take what ``stat`` says now, and read the command line if it is another program's."""
        self.seen, self.stat = seen, stat
        self.pss.rss = stat.rss
        self._sample = None
        program = stat.name, stat.start_stack
        if program != self._program:
            self._cmdline = f"[{stat.name}]"
            if not self.waits:
                self._cmdline = _cmdline(self._folder) or self._cmdline
                self._program = program

    def sample(self, shared: float, swaps: bool) -> ProcessSample:
        """How it is now; ``shared`` stands in for a pss that was never read."""
        pss = self.pss.estimate(shared)
        swap = _swap(self._folder) if swaps else 0
        last = self._sample
        if last is None or last.pss != pss or last.swap != swap:
            self._sample = last = self._new_sample(pss, swap)
        return last

    def _new_sample(self, pss: int, swap: int) -> ProcessSample:
        stat = self.stat
        return ProcessSample(
            self._pid,
            stat.name,
            stat.state,
            self._cmdline,
            self._started,
            stat.cpu_ticks / TICKS_PER_SECOND,
            stat.rss,
            stat.vsize,
            pss,
            swap,
            stat.reaped_ticks / TICKS_PER_SECOND,
        )


def _all(group: Sequence[_Member], swaps: bool) -> list[ProcessSample]:
    """The samples of one frame, without whoever has ended by now."""
    shared = shared_part([member.pss for member in group])
    samples = []
    for member in group:
        try:
            samples.append(member.sample(shared, swaps))
        except UNREADABLE:
            continue
    return samples


def _cmdline(folder: str) -> str:
    """The command line as one text; bytes that are no UTF-8 are replaced, as protobuf demands."""
    line = read_beginning(f"{folder}/cmdline", _LONGEST_CMDLINE)
    return line.rstrip(b"\0").replace(b"\0", b" ").decode("utf-8", "replace")


def _swaps(root: str) -> bool:
    """Whether the host has anything in its swap; as far as that can't be told, it may have."""
    try:
        memory = read_memory(root)
    except OSError:
        return True
    return memory.free_swap < memory.total_swap


def _swap(folder: str) -> int:
    """Memory of the process that is swapped out; 0 where the kernel keeps no count."""
    _, found, rest = read_beginning(f"{folder}/status", 8192).partition(b"\nVmSwap:")
    return int(rest.split(None, 1)[0]) if found else 0
