"""Control groups of version 2: where they are, and one for each frame.

The v2 tree may be the only one or stand beside v1. Frames get a group each below the agent's own,
or below one that is kept for them (``rqd.system.home``); where the tree is not writable there are
none, and frames are known by their session alone.
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path
from threading import Lock
from zlib import crc32

from rqd.log import Logger
from rqd.system.home import OWN

#: Bytes that a piece of a pseudo-file has at most if nothing comes after it.
_SHORT = 1024


def tree_name(state: str) -> str:
    """The name of the agent's cgroup tree; each agent of a host (tests run several) has its own."""
    return f"openrqd-{crc32(os.path.realpath(state).encode()):08x}"


class CgroupTree:
    """The folder in which each frame gets its own group.

    ``counts_oom_kills`` tells whether its groups do: where the memory controller is on for them.
    """

    log = Logger()

    def __init__(self, base: Path, *, counts_oom_kills: bool = False) -> None:
        self._base = base
        self.counts_oom_kills = counts_oom_kills

    @classmethod
    def open(
        cls, name: str, *, proc_root: str = "/proc", membership: str = OWN
    ) -> CgroupTree | None:
        """Return the tree ``name`` in its home; None where there can't be one.

        ``membership`` tells of the home; by default it is the agent's own group.
        """
        home = own_group(proc_root, membership)
        if home is None:
            return None
        base = home / name
        try:
            base.mkdir(exist_ok=True)
            if membership != OWN:
                _switch_on_memory(home, base)
            probe = base / "probe"
            probe.mkdir(exist_ok=True)
            counts = (probe / "memory.events").exists()
            probe.rmdir()
        except OSError as problem:
            cls.log.info(
                "no cgroups for frames folder={base} reason={problem}", base=base, problem=problem
            )
            return None
        return cls(base, counts_oom_kills=counts)

    def create(self, key: str) -> Path:
        """Make the group of a frame; raises OSError.

        The place kept for frames may have been made anew since, by systemd, without the tree.
        """
        path = self._base / key
        try:
            path.mkdir()
        except FileNotFoundError:
            self._base.mkdir()
            path.mkdir()
        return path

    def find(self, key: str) -> Path | None:
        """Return the group of a frame that was made earlier, perhaps by another agent."""
        path = self._base / key
        return path if path.is_dir() else None

    def groups(self) -> list[Path]:
        """All groups that are there, also those that another agent made."""
        return [path for path in self._base.iterdir() if path.is_dir()]

    def close(self) -> None:
        """Remove the tree itself; frames that still run keep it."""
        try:
            self._base.rmdir()
        except OSError:
            self.log.debug("cgroup tree kept folder={base}", base=self._base)


def _switch_on_memory(home: Path, base: Path) -> None:
    """Let the kernel count for each frame, in a home where nothing but frames has to be.

    No group that hands a controller on may have processes itself: what keeps the home open moves
    into one of its own.
    """
    if "memory" not in (home / "cgroup.controllers").read_text().split():
        return
    keeper = home / "keeper"
    keeper.mkdir(exist_ok=True)
    for pid in members(home):
        (keeper / "cgroup.procs").write_text(f"{pid}")
    for group in (home, base):
        (group / "cgroup.subtree_control").write_text("+memory")


def own_group(proc_root: str = "/proc", membership: str = OWN) -> Path | None:
    """Return the folder of this process's own v2 group, or None where v2 isn't mounted.

    Or that of the process of which ``membership`` tells.
    """
    mount = _mount_point(proc_root)
    path = _own_path(os.path.join(proc_root, membership))
    if mount is None or path is None:
        return None
    return Path(mount + path)


def _mount_point(proc_root: str) -> str | None:
    """The first mounted cgroup2: its root within the tree is cut off by the kernel's own view."""
    for line in Path(proc_root, "self/mountinfo").read_text().splitlines():
        left, _, right = line.partition(" - ")
        if right.startswith("cgroup2 "):
            return left.split()[4]
    return None


def _own_path(membership: str) -> str | None:
    for line in Path(membership).read_text().splitlines():
        if line.startswith("0::"):
            return line[3:].rstrip("/")
    return None


class Procs:
    """Who is in a group, by a file that stays open: to open it costs more than to read it.

    Threads may share it: none ever reads what has got its descriptor after ``close``.
    """

    def __init__(self, group: Path) -> None:
        self._descriptor = -1
        self._reading = Lock()
        with suppress(OSError):
            self._descriptor = os.open(f"{group}/cgroup.procs", os.O_RDONLY | os.O_CLOEXEC)

    def pids(self) -> list[int]:
        """The members; none of a group that is gone."""
        try:
            with self._reading:
                pids = _all_of(self._descriptor)
        except OSError:
            return []
        return [int(pid) for pid in pids.split()]

    def close(self) -> None:
        """Nobody is in it any more, as far as this object tells."""
        with self._reading:
            descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def __del__(self) -> None:
        self.close()


def members(group: Path) -> list[int]:
    """The pids in a group, for who asks once."""
    return Procs(group).pids()


def _all_of(descriptor: int) -> bytes:
    """Everything in a pseudo-file, which comes in pieces of about a page; the last one is short."""
    text = more = os.pread(descriptor, 1 << 16, 0)
    while len(more) > _SHORT:
        more = os.pread(descriptor, 1 << 16, len(text))
        text += more
    return text


def is_populated(group: Path) -> bool:
    """Whether anything lives in a group or below it."""
    try:
        return b"populated 1" in (group / "cgroup.events").read_bytes()
    except FileNotFoundError:
        return False


def kill(group: Path) -> None:
    """SIGKILL all that is in a group at once (``cgroup.kill``, Linux 5.14), fork bombs included."""
    try:  # without O_CREAT: to create anything here is not permitted, which would hide the reason
        switch = os.open(group / "cgroup.kill", os.O_WRONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        kill_each(group)
        return
    try:
        os.write(switch, b"1")
    finally:
        os.close(switch)


def kill_each(group: Path) -> None:
    """One after the other, in a group that is frozen from now on (Linux 5.2), so that none forks.

    It is not thawed: nothing runs there any more, and SIGKILL ends what is frozen. What was being
    forked meanwhile is met by the next call.
    """
    with suppress(FileNotFoundError):
        switch = os.open(group / "cgroup.freeze", os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(switch, b"1")
        finally:
            os.close(switch)
    for pid in members(group):
        _kill_one(pid)


def _kill_one(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def remove(group: Path) -> bool:
    """Remove an empty group; False while something lives in it."""
    try:
        group.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True
