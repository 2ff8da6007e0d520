"""Which processes are in a session: what belongs to a frame where there are no cgroups.

The kernel keeps no list of a session's members, so every process of the host is asked for its
session. That is one quick system call each; no file of a foreign process is opened.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Container, Iterator

from rqd.system.procstat import UNREADABLE, parse_stat, read_stat_line, session_of

_OWN = "/proc"


def in_sessions(sessions: Container[int], proc_root: str = _OWN) -> Iterator[tuple[int, int]]:
    """Pid and session of every process in one of ``sessions``, dead ones included."""
    look_up = session_lookup(proc_root)
    for name in os.listdir(proc_root):
        if name.isdigit():
            try:
                session = look_up(int(name))
            except (OSError, ValueError, IndexError):
                continue
            if session in sessions:
                yield int(name), session


def session_lookup(proc_root: str) -> Callable[[int], int]:
    """How to find the session of a pid; what is returned raises OSError if there is no process.

    The kernel is asked only of its own pids: any other tree (of another pid namespace, or made up
    by a test) is taken at its files' word.
    """
    if proc_root == _OWN:
        return os.getsid
    return lambda pid: session_of(read_stat_line(f"{proc_root}/{pid}/stat"))


def session_members(session: int, proc_root: str = _OWN) -> list[int]:
    """Return the living pids of a session without its leader, the frame's supervisor."""
    pids = (pid for pid, _ in in_sessions((session,), proc_root) if pid != session)
    return [pid for pid in pids if _lives(f"{proc_root}/{pid}/stat")]


def _lives(path: str) -> bool:
    try:
        return parse_stat(read_stat_line(path)).alive
    except (*UNREADABLE, ValueError, IndexError):
        return False
