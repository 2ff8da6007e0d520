"""Who a process is, for ever: pids come round again, this does not."""

from __future__ import annotations

import os
from functools import cache
from typing import NamedTuple

from rqd.system.procstat import GONE, parse_stat, read_stat_line


class ProcessIdentity(NamedTuple):
    """A pid, when its process started (clock ticks since boot), and in which boot."""

    pid: int
    start_ticks: int
    boot_id: str


def identity(pid: int, proc_root: str = "/proc") -> ProcessIdentity | None:
    """The process that has this pid now; None if there is none, or a zombie, which is dead.

    Compare with a recorded one to know whether that process still lives.
    """
    try:
        stat = parse_stat(read_stat_line(f"{proc_root}/{pid}/stat"))
    except GONE:
        return None
    return ProcessIdentity(pid, stat.start_ticks, boot_id(proc_root)) if stat.alive else None


def boot_id(proc_root: str = "/proc") -> str:
    """The kernel's random name of this boot; empty where it gives none (some sandboxes)."""
    try:
        with open(os.path.join(proc_root, "sys/kernel/random/boot_id"), encoding="ascii") as text:
            return text.read().strip()
    except FileNotFoundError:
        return ""


@cache
def this_boot() -> str:
    """The same of this machine, asked once."""
    return boot_id()
