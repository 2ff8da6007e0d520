"""The processes of one frame, as something that can be signalled, counted and ended.

By control group where the frame has one (nothing escapes it), else by session. Never by parent: a
child whose parent died belongs to init, and still renders. The supervising shell leads the session
but is ours, not the frame's: it lives until it has recorded the end.
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path

from zope.interface import Attribute, Interface, implementer

from rqd.system import cgroups
from rqd.system.identity import identity
from rqd.system.oomkills import read_oom_kills
from rqd.system.sampler import Membership
from rqd.system.sessions import session_members


class IMembers(Interface):
    """The processes of one frame. All calls read or write pseudo-files only and are quick."""

    supervisor: int = Attribute("The pid of what leads their session.")

    def pids() -> list[int]:
        """Return the living processes of the frame, the supervisor left out."""

    def membership() -> Membership:
        """Return what statistics are to be sampled of. Reads files only: any thread may call."""

    def oom_kills() -> int:
        """Return how many the kernel has killed for want of memory; 0 where nobody counts that."""

    def send(number: int) -> int:
        """Signal each process; return how many there were that could hear it."""

    def wake() -> None:
        """Let go on what was stopped, the supervisor too: nothing that is stopped can end."""

    def kill() -> None:
        """SIGKILL everything, the supervisor too; what escapes is met by the next call."""


def _send(pid: int, number: int) -> None:
    """What isn't ours to signal (a set-uid program, say) must not save the others."""
    with suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


def _kill_group(group: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


def _command_line(pid: int) -> bytes:
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as words:
            return words.read()
    except OSError:
        return b""


class Signalled:
    """Signals to whatever ``pids`` finds."""

    def __init__(self, supervisor: int) -> None:
        self.supervisor = supervisor

    def pids(self) -> list[int]:
        raise NotImplementedError

    def send(self, number: int) -> int:
        """Leave out what is still the supervisor's own fork: signals are lost on it.

        It has the supervisor's traps for a moment, before it becomes the frame.
        """
        own = _command_line(self.supervisor)
        pids = [pid for pid in self.pids() if not own or _command_line(pid) != own]
        for pid in pids:
            _send(pid, number)
        return len(pids)

    def wake(self) -> None:
        self.send(signal.SIGCONT)
        _send(self.supervisor, signal.SIGCONT)


def killed_in(group: Path) -> int:
    """How many the kernel ever killed in a group for want of memory."""
    return read_oom_kills(f"{group}/memory.events")


@implementer(IMembers)
class GroupMembers(Signalled):
    """The members of a control group."""

    def __init__(
        self,
        group: Path,
        supervisor: int,
        *,
        procs: cgroups.Procs | None = None,
        counts_oom_kills: bool,
        killed_before: int = 0,
    ) -> None:
        """``killed_before``: what the group had counted before the frame: it is used again.

        So are the ``procs`` of the group.
        """
        super().__init__(supervisor)
        self.group = group
        self._procs = procs or cgroups.Procs(group)
        self._counts = counts_oom_kills
        self._killed_before = killed_before

    def pids(self) -> list[int]:
        return [pid for pid in self._procs.pids() if pid != self.supervisor]

    def membership(self) -> Membership:
        return Membership(0, self.pids())

    def oom_kills(self) -> int:
        return killed_in(self.group) - self._killed_before if self._counts else 0

    def kill(self) -> None:
        """The supervisor is no exception: nothing that forks may be left out."""
        cgroups.kill(self.group)


@implementer(IMembers)
class SessionMembers(Signalled):
    """The members of a session, found by looking at every process of the host."""

    def __init__(self, supervisor: int, proc_root: str = "/proc") -> None:
        super().__init__(supervisor)
        self._proc_root = proc_root
        self._leader = identity(supervisor, proc_root)

    def pids(self) -> list[int]:
        """What forks and ends all the time is seen in few of such looks."""
        return session_members(self.supervisor, self._proc_root)

    def membership(self) -> Membership:
        return Membership(self.supervisor, supervisor=self.supervisor)

    def oom_kills(self) -> int:
        return 0

    def kill(self) -> None:
        """By process group: the kernel does that at once, so nothing runs away by forking, unseen.

        No process group has members in two sessions, and the leader's number is no other's as long
        as it lives, or a member of its session does.
        """
        if self._is_led():
            _kill_group(self.supervisor)  # before the look, which takes a while in a fork bomb
        pids = self.pids()
        groups = {self.supervisor} if pids else set()
        for pid in pids:
            with suppress(ProcessLookupError):
                groups.add(os.getpgid(pid))
        for group in groups:
            _kill_group(group)

    def _is_led(self) -> bool:
        return self._leader is not None and (
            identity(self.supervisor, self._proc_root) == self._leader
        )
