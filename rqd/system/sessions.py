"""Which processes are in a session: what belongs to a frame where there are no cgroups."""

from __future__ import annotations

import os

from rqd.system.procstat import UNREADABLE, parse_stat, read_stat_line, session_of


def session_members(session: int, proc_root: str = "/proc") -> list[int]:
    """Return the living pids of a session without its leader, the frame's supervisor."""
    pids = (int(name) for name in os.listdir(proc_root) if name.isdigit())
    return [pid for pid in pids if pid != session and _lives_in(session, f"{proc_root}/{pid}/stat")]


def _lives_in(session: int, path: str) -> bool:
    try:
        line = read_stat_line(path)
        return session_of(line) == session and parse_stat(line).alive
    except (*UNREADABLE, ValueError, IndexError):
        return False
