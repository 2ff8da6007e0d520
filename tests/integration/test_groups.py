"""Real control groups."""

from __future__ import annotations

import subprocess

from twisted.trial.unittest import TestCase

from rqd.system import cgroups
from tests.integration.log_frames import until
from tests.integration.own_groups import joining, new_group
from tests.logging.awaiting import awaited


class ProcsTests(TestCase):
    """L{cgroups.Procs}, which stays open."""

    def setUp(self) -> None:
        self.group = new_group(self)
        self.procs = cgroups.Procs(self.group)

    def run_here(self, program: str) -> subprocess.Popen[bytes]:
        """A shell in the group, which has said something, and ends with its input."""
        shell = subprocess.Popen(
            joining(self.group, "sh", "-c", f"{program}; echo; read line"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert shell.stdout is not None
        shell.stdout.readline()
        return shell

    def test_asked_again(self) -> None:
        """Each time it tells who is there now."""
        self.assertEqual(self.procs.pids(), [])
        with self.run_here(":") as shell:
            self.assertEqual(self.procs.pids(), [shell.pid])
            shell.communicate()
        self.assertEqual(self.procs.pids(), [])

    @awaited
    async def test_many(self) -> None:
        """More than fit into a page are all told."""
        with self.run_here("i=0; while [ $i -lt 700 ]; do sleep 60 & i=$((i+1)); done") as shell:
            pids = self.procs.pids()
            self.assertEqual((len(set(pids)), len(pids)), (701, 701))
            self.assertEqual(cgroups.members(self.group), pids)
            cgroups.kill(self.group)
            shell.wait()
        await until(lambda: cgroups.remove(self.group))

    def test_removed(self) -> None:
        """Nobody is in a group that is gone."""
        self.assertTrue(cgroups.remove(self.group))
        self.assertEqual(self.procs.pids(), [])

    def test_closed(self) -> None:
        """Once it is closed, nobody is there, whatever has its descriptor now."""
        with self.run_here(":") as shell:
            self.procs.close()
            with open("/proc/self/stat", "rb"):
                self.assertEqual(self.procs.pids(), [])
            shell.communicate()
