"""The supervisor as the reactor's child."""

from __future__ import annotations

import os

from twisted.trial.unittest import SynchronousTestCase

from rqd.frame.chain import Chain
from rqd.frame.process import spawn
from tests.frame.fakes import ProcessReactor

CHAIN = Chain(["/bin/sh", "-c", "true"], {"A": "1"})


class SpawnTests(SynchronousTestCase):
    """L{spawn}."""

    def setUp(self) -> None:
        self.reactor = ProcessReactor()
        self.output, self.writer = os.pipe()
        self.addCleanup(os.close, self.output)
        self.addCleanup(os.close, self.writer)

    def test_start(self) -> None:
        """The chain is started with its arguments and its environment, and its pid is known."""
        process = spawn(CHAIN, self.writer, 2, reactor=self.reactor)
        (spawned,) = self.reactor.spawned
        self.assertEqual((spawned.arguments, spawned.environment), (CHAIN.arguments, {"A": "1"}))
        self.assertEqual(process.pid, spawned.pid)
        self.assertTrue(process.running)
        spawned.end(0)

    def test_descriptors(self) -> None:
        """Its own words go to the account, the frame's output to descriptor 3."""
        account, other = os.pipe()
        spawn(CHAIN, self.writer, other, reactor=self.reactor)
        (spawned,) = self.reactor.spawned
        self.assertEqual(sorted(spawned.descriptors), [1, 2, 3])
        spawned.write(b"out")
        spawned.say(b"born")
        self.assertEqual((os.read(self.output, 9), os.read(account, 9)), (b"out", b"born"))
        spawned.end(0)
        os.close(account)
        os.close(other)

    def test_nothing_held(self) -> None:
        """A running frame costs the agent no descriptor."""
        before = len(os.listdir("/proc/self/fd"))
        spawn(CHAIN, self.writer, 2, reactor=self.reactor)
        self.assertEqual(len(os.listdir("/proc/self/fd")), before + 3)  # those of the child
        self.reactor.spawned[0].end(0)
        self.assertEqual(len(os.listdir("/proc/self/fd")), before)

    def test_exit(self) -> None:
        """The exit is the end, whoever still holds what the frame wrote to."""
        process = spawn(CHAIN, self.writer, 2, reactor=self.reactor)
        self.assertNoResult(process.exited)
        self.reactor.spawned[0].exit(3)
        self.assertEqual(self.successResultOf(process.exited), 3 << 8)
        self.assertFalse(process.running)
        self.reactor.spawned[0].close()

    def test_success(self) -> None:
        """A success is one as well."""
        process = spawn(CHAIN, self.writer, 2, reactor=self.reactor)
        self.reactor.spawned[0].end(0)
        self.assertEqual(self.successResultOf(process.exited), 0)

    def test_refused(self) -> None:
        """A start that the kernel refuses raises, and leaves no descriptor."""
        before = len(os.listdir("/proc/self/fd"))
        self.reactor.refusal = OSError(11, "Resource temporarily unavailable")
        self.assertRaises(OSError, spawn, CHAIN, self.writer, 2, reactor=self.reactor)
        self.assertEqual(len(os.listdir("/proc/self/fd")), before)
