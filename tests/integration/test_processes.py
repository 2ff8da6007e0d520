"""The real ``/proc`` with real children."""

from __future__ import annotations

import os
import subprocess
import sys

from twisted.trial.unittest import SynchronousTestCase

from rqd.system.identity import boot_id, identity
from rqd.system.processes import ProcessReader

FORKING = """
import os, sys
held = bytearray(32 << 20)
held[::4096] = b"x" * len(held[::4096])
if os.fork() == 0:
    os.setsid()
os.write(1, b"%d\\n" % os.getpid())
sys.stdin.read()
"""


class RealProcessTests(SynchronousTestCase):
    """A child with a grandchild that left its session."""

    def setUp(self) -> None:
        self.child = subprocess.Popen(
            [sys.executable, "-c", FORKING],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        self.addCleanup(self.end)
        assert self.child.stdout is not None
        self.pids = {int(self.child.stdout.readline()) for _ in range(2)}

    def end(self) -> None:
        """End both, which end with their input."""
        assert self.child.stdin is not None and self.child.stdout is not None
        self.child.stdin.close()
        self.child.stdout.read()
        self.child.stdout.close()
        self.child.wait()

    def test_session(self) -> None:
        """The child is found by its session, with its true size, and the one that left is not."""
        (sample,) = ProcessReader().read({self.child.pid: "a"}, {})["a"]
        self.assertEqual(sample.pid, self.child.pid)
        self.assertIn("os.setsid()\nos.write", sample.cmdline)
        self.assertTrue(32 << 10 < sample.rss < sample.vsize)
        self.assertTrue(16 << 10 <= sample.pss <= sample.rss)

    def test_pids(self) -> None:
        """By its pid the one that left is found as well; what both share is shared in pss."""
        found = ProcessReader().read({}, dict.fromkeys(self.pids, "a"))["a"]
        self.assertEqual({sample.pid for sample in found}, self.pids)
        self.assertLess(sum(sample.pss for sample in found), sum(sample.rss for sample in found))

    def test_exec(self) -> None:
        """A process that execs a program of the same name shows the new command line."""
        again = "import sys; print('again', flush=True); sys.stdin.read()"
        first = (
            "import os, sys; print(1, flush=True); sys.stdin.readline()\n"
            f"os.execv(sys.executable, [sys.executable, '-c', {again!r}])"
        )
        child = subprocess.Popen(
            [sys.executable, "-c", first],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
        )
        assert child.stdin is not None and child.stdout is not None
        self.addCleanup(child.communicate)
        reader = ProcessReader()
        child.stdout.readline()
        (before,) = reader.read({}, {child.pid: "a"})["a"]
        child.stdin.write(b"go\n")
        child.stdout.readline()
        (after,) = reader.read({}, {child.pid: "a"})["a"]
        self.assertEqual((before.started, before.name), (after.started, after.name))
        self.assertIn("execv", before.cmdline)
        self.assertTrue(after.cmdline.endswith(again))

    def test_identity(self) -> None:
        """The identity is the same as long as it lives, and nobody's once it is a zombie."""
        known = identity(self.child.pid)
        self.assertIsNotNone(known)
        self.assertEqual(identity(self.child.pid), known)
        self.assertNotEqual(identity(os.getpid()), known)
        self.assertEqual(len(boot_id()), 36)
        self.child.kill()
        os.waitid(os.P_PID, self.child.pid, os.WEXITED | os.WNOWAIT)
        self.assertIsNone(identity(self.child.pid))
        self.assertEqual(ProcessReader().read({self.child.pid: "a"}, {}), {})
