"""Which processes are in a session: what belongs to a frame where there are no cgroups."""

from __future__ import annotations

import os
from collections.abc import Collection


def session_members(sessions: Collection[int], proc_root: str = "/proc") -> dict[int, list[int]]:
    """Return the living pids of each session, in one pass; zombies are dead and not listed."""
    found: dict[int, list[int]] = {session: [] for session in sessions}
    for name in os.listdir(proc_root):
        if name.isdigit():
            session, state = _session_of(f"{proc_root}/{name}/stat")
            if session in found and state not in (b"Z", b"X"):
                found[session].append(int(name))
    return found


def _session_of(path: str) -> tuple[int, bytes]:
    """The session and state of a process; the name in between may hold anything, also ``)``."""
    try:
        with open(path, "rb") as stat:
            fields = stat.read().rpartition(b")")[2].split()
        return int(fields[3]), fields[0]
    except (OSError, IndexError, ValueError):
        return -1, b""
