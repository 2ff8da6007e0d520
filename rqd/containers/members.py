"""The processes of a container, as those of any frame (``rqd.frame.members``)."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from zope.interface import implementer

from rqd.containers.freezer import thaw
from rqd.containers.interface import Facts
from rqd.frame.members import GroupMembers, IMembers, SessionMembers, Signalled
from rqd.system import cgroups
from rqd.system.enclosing import enclosing_groups
from rqd.system.identity import identity
from rqd.system.sampler import Membership

#: Trees of control groups in which a container may have a group of its own: version 2 first.
_CONTROLLERS = ("", "memory", "pids", "cpu", "cpuset", "freezer")


class Begun(NamedTuple):
    """The first process of a container; ``pid`` 0 where it is over already.

    ``group`` is the folder of the control group that is the container's, "" where none is seen.
    """

    pid: int = 0
    start_ticks: int = 0
    group: str = ""


def begun(facts: Facts | None) -> Begun:
    """Look at the first process of a container; reads pseudo-files only."""
    if facts is None or not facts.running:
        return Begun()
    found = identity(facts.pid)
    if found is None:
        return Begun()
    return Begun(facts.pid, found.start_ticks, _group_of(facts))


def _group_of(facts: Facts) -> str:
    for controller in _CONTROLLERS:
        folders = enclosing_groups(controller, membership=f"{facts.pid}/cgroup").folders
        ours = [folder for folder in folders if facts.id in os.path.basename(folder)]
        if ours and facts.pid in cgroups.members(Path(ours[0])):
            return ours[0]
    return ""


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
