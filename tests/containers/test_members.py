"""L{ContainerMembers}."""

from __future__ import annotations

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from rqd.containers.members import Begun, ContainerMembers, begun, search
from rqd.system.identity import identity
from tests.frame.earlier import PID
from tests.system.fake_proc import FakeProc


class MembersTests(SynchronousTestCase):
    """Who is in a container, and who is not."""

    def test_by_group(self) -> None:
        """All that are in its group, but for the first process."""
        group = Path(self.mktemp())
        group.mkdir()
        (group / "cgroup.procs").write_text("7\n8\n9\n")
        members = ContainerMembers(Begun(7, 1, str(group)))
        self.assertEqual(members.pids(), [8, 9])
        self.assertEqual(members.membership().pids, [8, 9])

    def test_nobody(self) -> None:
        """Nobody is in one that does not run."""
        members = ContainerMembers(Begun())
        self.assertEqual((members.pids(), members.send(0)), ([], 0))
        members.kill()

    def test_another(self) -> None:
        """Who has the first process's number now, but began at another time, is left alone."""
        members = ContainerMembers(Begun(os.getpid(), 1, "/nowhere"))
        members.kill()  # or this test would not go on

    def test_begun(self) -> None:
        """A process is looked at; what has ended is no process."""
        found = identity(os.getpid())
        assert found is not None
        self.assertEqual(begun(os.getpid()), Begun(os.getpid(), found.start_ticks, ""))
        self.assertEqual(begun(PID), Begun())
        self.assertEqual(begun(0), Begun())


class SearchTests(SynchronousTestCase):
    """L{search}."""

    def setUp(self) -> None:
        self.proc = FakeProc(self.mktemp())

    def add(self, pid: int, cmdline: bytes, inside: int) -> None:
        """A process that has that pid in its container."""
        self.proc.process(pid, cmdline=cmdline)
        self.proc.write(f"{pid}/status", f"Name:\tx\nNSpid:\t{pid}\t{inside}\nThreads:\t1\n")

    def found(self, called: str) -> int:
        return search(called, self.proc.root).pid

    def test_first(self) -> None:
        """It is the one that has the name as a word, and is the first in there."""
        self.add(5, b"init\0--\0sh\0openrqd-10\0x\0", 1)
        self.add(6, b"init\0--\0sh\0openrqd-1\0x\0", 1)
        self.add(7, b"sh\0openrqd-1\0x\0", 7)
        self.assertEqual((self.found("openrqd-1"), self.found("openrqd-10")), (6, 5))

    def test_none(self) -> None:
        """A container that is over has none; nor has one of this host's own processes."""
        self.proc.process(8, cmdline=b"grep\0openrqd-1\0-r\0")
        self.assertEqual(self.found("openrqd-1"), 0)
