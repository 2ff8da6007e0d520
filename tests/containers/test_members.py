"""L{ContainerMembers}."""

from __future__ import annotations

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from rqd.containers.interface import Facts
from rqd.containers.members import Begun, ContainerMembers, begun
from rqd.system.identity import identity


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
        """A process that the engine names is looked at; what has ended is no process."""
        facts = Facts("c0ffee", True, os.getpid(), 0, False, "")
        found = identity(os.getpid())
        assert found is not None
        self.assertEqual(begun(facts), Begun(os.getpid(), found.start_ticks, ""))
        self.assertEqual(begun(facts._replace(running=False)), Begun())
        self.assertEqual(begun(facts._replace(pid=(1 << 22) + 7)), Begun())
        self.assertEqual(begun(None), Begun())
