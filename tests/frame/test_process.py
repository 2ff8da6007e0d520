"""The supervisor as the reactor's child."""

from __future__ import annotations

import os

from twisted.trial.unittest import SynchronousTestCase

from rqd.frame.process import spawn
from tests.frame.fakes import ProcessReactor


class SpawnTests(SynchronousTestCase):
    """L{spawn}."""

    def setUp(self) -> None:
        self.reactor = ProcessReactor()
        self.process = spawn(["/bin/sh", "-c", "true", "openrqd"], 2, spawner=self.reactor)
        (self.spawned,) = self.reactor.spawned
        self.addCleanup(self.spawned.close)

    def test_start(self) -> None:
        """It is started with its arguments, its pid is known, and it waits."""
        self.assertEqual(self.spawned.arguments, ["/bin/sh", "-c", "true", "openrqd"])
        self.assertEqual(self.process.pid, self.spawned.pid)
        self.assertTrue(self.process.running and self.spawned.waits)
        self.assertEqual(self.spawned.orders, b"")

    def test_order(self) -> None:
        """Its orders are the last that it hears."""
        self.process.order(b"go\n")
        self.assertEqual((self.spawned.orders, self.spawned.waits), (b"go\n", False))
        self.assertTrue(self.process.running)

    def test_dismiss(self) -> None:
        """One that is not needed ends without orders."""
        self.process.dismiss()
        self.assertEqual(self.spawned.orders, b"")
        self.assertFalse(self.process.running)

    def test_exit(self) -> None:
        """Its exit is the end."""
        self.assertNoResult(self.process.exited)
        self.spawned.end(3)
        self.assertEqual(self.successResultOf(self.process.exited), 3 << 8)
        self.assertFalse(self.process.running)

    def test_success(self) -> None:
        """A success is one as well."""
        self.spawned.end(0)
        self.assertEqual(self.successResultOf(self.process.exited), 0)

    def test_refused(self) -> None:
        """A start that the kernel refuses raises, and leaves no descriptor."""
        before = len(os.listdir("/proc/self/fd"))
        self.reactor.refusal = OSError(11, "Resource temporarily unavailable")
        self.assertRaises(OSError, spawn, ["/bin/sh"], 2, spawner=self.reactor)
        self.assertEqual(len(os.listdir("/proc/self/fd")), before)
