"""Real control groups."""

from __future__ import annotations

import os
import subprocess

from twisted.trial.unittest import TestCase

from rqd.system import cgroups
from tests.environments import lacks
from tests.integration.log_frames import until
from tests.logging.awaiting import awaited


class ProcsTests(TestCase):
    """L{cgroups.Procs}, which stays open."""

    def setUp(self) -> None:
        own = cgroups.own_group()
        if own is None or not os.access(own, os.W_OK):
            lacks("no control group that can be written to")
        assert own is not None
        self.group = own / f"openrqd-procs-{os.getpid()}"
        self.group.mkdir()
        self.procs = cgroups.Procs(self.group)

    def tearDown(self) -> None:
        cgroups.remove(self.group)

    def run_here(self, program: str) -> subprocess.Popen[bytes]:
        """A shell in the group, which has said something, and ends with its input."""
        script = f'echo 0 > "$0"; {program}; echo; read line'
        shell = subprocess.Popen(
            ["sh", "-c", script, f"{self.group}/cgroup.procs"],
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
