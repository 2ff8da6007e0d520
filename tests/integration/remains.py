"""What an agent under test leaves behind: processes and control groups, known by its folder.

All that such an agent starts has the path of its private folder in its environment or its command
line (the frame's log, its script), so nothing else of the machine is ever taken for it.
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path

from rqd.system import cgroups


def living(pid: int) -> bool:
    """Whether a process lives; a zombie doesn't."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(b")")[2].split()[0] not in (b"Z", b"X")


def processes(folder: str) -> list[int]:
    """The living processes that have to do with ``folder``."""
    return [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if _of(folder, pid)]


def _of(folder: str, pid: int) -> bool:
    """Zombies have neither an environment nor a command line."""
    for name in ("environ", "cmdline"):
        with suppress(FileNotFoundError, ProcessLookupError, PermissionError):
            if folder.encode() in Path(f"/proc/{pid}/{name}").read_bytes():
                return True
    return False


def children(pid: int) -> list[int]:
    """The children of a process, zombies included."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return [int(child) for task in tasks for child in (task / "children").read_text().split()]


def tree(state: str) -> Path | None:
    """The cgroup folder of the agent whose state is there, if agents of ours get one."""
    own = cgroups.own_group()
    path = own / cgroups.tree_name(state) if own is not None else None
    return path if path is not None and path.is_dir() else None


def groups(state: str) -> list[str]:
    """The control groups of the frames of the agent whose state is there."""
    path = tree(state)
    if path is None:
        return []
    return [
        group.name for group in path.iterdir() if group.is_dir() and not _waits_for_a_frame(group)
    ]


def frames(pid: int) -> list[int]:
    """The children of an agent, zombies included, but for those that wait for a frame."""
    return [child for child in children(pid) if not _is_waiting(child)]


def _waits_for_a_frame(group: Path) -> bool:
    """Whether nothing is in a group, or on its way into it, but a supervisor without a frame."""
    return all(_is_waiting(pid) for pid in cgroups.members(group))


def _is_waiting(pid: int) -> bool:
    """A supervisor that runs a frame has a child."""
    try:
        return b"\0openrqd\0" in _command_line(pid) and not children(pid)
    except FileNotFoundError:
        return False


def _command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def kill(folder: str) -> None:
    """SIGKILL what has to do with ``folder``, until nothing has: it may fork meanwhile."""
    while pids := processes(folder):
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def remove_groups(state: str) -> bool:
    """Kill what is left in the tree of an agent that has ended, and remove it if that is done."""
    path = tree(state)
    if path is None:
        return True
    for group in filter(Path.is_dir, path.iterdir()):
        cgroups.kill(group)
        cgroups.remove(group)
    return cgroups.remove(path)
