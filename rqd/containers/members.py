"""The processes of a container, as those of any frame (``rqd.frame.members``)."""

from __future__ import annotations

import os
import re
import signal
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from zope.interface import implementer

from rqd.containers.freezer import thaw
from rqd.frame.members import GroupMembers, IMembers, SessionMembers, Signalled
from rqd.system import cgroups
from rqd.system.enclosing import enclosing_groups
from rqd.system.identity import identity
from rqd.system.sampler import Membership

#: Trees of control groups in which a container may have a group of its own: version 2 first.
_CONTROLLERS = ("", "memory", "pids", "cpu", "cpuset", "freezer")
#: Engines name the group of a container by its id.
_ID = re.compile(r"[0-9a-f]{64}")
_FIRST = re.compile(rb"^NSpid:.*\t1$", re.MULTILINE)


class Begun(NamedTuple):
    """The first process of a container; ``pid`` 0 where it is over already.

    ``group`` is the folder of the control group that is the container's, "" where none is seen.
    """

    pid: int = 0
    start_ticks: int = 0
    group: str = ""


def begun(pid: int, proc_root: str = "/proc") -> Begun:
    """Look at the first process of a container; reads pseudo-files only."""
    found = identity(pid, proc_root) if pid else None
    if found is None:
        return Begun()
    return Begun(pid, found.start_ticks, _group_of(pid, proc_root))


def _group_of(pid: int, proc_root: str) -> str:
    for controller in _CONTROLLERS:
        found = enclosing_groups(controller, proc_root=proc_root, membership=f"{pid}/cgroup")
        ours = [folder for folder in found.folders if _ID.search(os.path.basename(folder))]
        if ours and pid in cgroups.members(Path(ours[0])):
            return ours[0]
    return ""


def search(called: str, proc_root: str = "/proc") -> Begun:
    """Find the first process of the container that is ``called`` so, whatever its engine says.

    An engine that is killed in the middle of a start may forget what it has started. The name is
    a word of the first program's command line (``rqd.containers.inside``). Reads pseudo-files only,
    but those of all processes.
    """
    word = b"\0%s\0" % called.encode()
    for name in filter(str.isdigit, os.listdir(proc_root)):
        with suppress(OSError):
            named = word in _read(proc_root, name, "cmdline")
            if named and _FIRST.search(_read(proc_root, name, "status")):
                return begun(int(name), proc_root)
    return Begun()


def _read(proc_root: str, pid: str, name: str) -> bytes:
    with open(f"{proc_root}/{pid}/{name}", "rb") as file:
        return file.read()


@implementer(IMembers)
class ContainerMembers(Signalled):
    """Those of its group, or of its session where that is not seen.

    The first process is the supervisor: when that dies, the kernel ends all others at once.
    """

    def __init__(self, begun: Begun) -> None:
        super().__init__(begun.pid)
        self._start_ticks = begun.start_ticks
        self._others: IMembers
        if begun.pid and not begun.group:
            self._others = SessionMembers(begun.pid)
        else:
            group = Path(begun.group or os.devnull)  # nobody is in that
            self._others = GroupMembers(group, begun.pid, counts_oom_kills=False)

    def pids(self) -> list[int]:
        return self._others.pids()

    def membership(self) -> Membership:
        return self._others.membership()

    def oom_kills(self) -> int:
        """Its account tells."""
        return 0

    def wake(self) -> None:
        """Also from a pause of the container."""
        if self._is_led():
            thaw(self.supervisor)
        super().wake()

    def kill(self) -> None:
        if self._is_led():
            with suppress(ProcessLookupError):
                os.kill(self.supervisor, signal.SIGKILL)
            thaw(self.supervisor)

    def _is_led(self) -> bool:
        found = identity(self.supervisor) if self.supervisor else None
        return found is not None and found.start_ticks == self._start_ticks
