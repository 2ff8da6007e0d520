"""The supervisor as the reactor's child, and how it tells the ends of its frames."""

from __future__ import annotations

import os

from twisted.trial.unittest import SynchronousTestCase

from rqd.frame.supervisor import Supervisors
from tests.frame.fakes import ProcessReactor

ARGUMENTS = ["/bin/sh", "-c", "true", "openrqd"]


class SupervisorCase(SynchronousTestCase):
    """One supervisor."""

    def setUp(self) -> None:
        self.reactor = ProcessReactor()
        self.supervisors = Supervisors(self.reactor, reactor=self.reactor)
        self.addCleanup(self.supervisors.stop)
        self.supervisor = self.supervisors.start(ARGUMENTS, 2)
        (self.process,) = self.reactor.spawned
        self.addCleanup(self.process.close)


class SupervisorTests(SupervisorCase):
    """L{Supervisor}."""

    def test_start(self) -> None:
        """It is started with its arguments, its pid is known, and it waits."""
        self.assertEqual(self.process.arguments, ARGUMENTS)
        self.assertEqual(self.supervisor.pid, self.process.pid)
        self.assertTrue(self.supervisor.running and self.process.waits)

    def test_frames(self) -> None:
        """It runs one frame after the other; each has its own end."""
        for status in (0, 3):
            ended = self.supervisor.order(b"go\n")
            self.assertEqual(self.process.orders, b"go\n")
            self.assertNoResult(ended)
            self.process.end(status)
            self.assertEqual(self.successResultOf(ended), status << 8)
        self.assertTrue(self.supervisor.running)

    def test_dismiss(self) -> None:
        """One that is not needed ends."""
        self.supervisor.dismiss()
        self.assertEqual(self.successResultOf(self.supervisor.gone), 0)
        self.assertFalse(self.supervisor.running)

    def test_dies(self) -> None:
        """One that dies takes its frame with it; the frame's end is its own."""
        ended = self.supervisor.order(b"go\n")
        self.process.die(9)
        self.assertEqual(self.successResultOf(ended), 9)
        self.assertEqual(self.successResultOf(self.supervisor.gone), 9)

    def test_dead_already(self) -> None:
        """Orders to one that is dead end at once."""
        self.process.die(9)
        self.assertEqual(self.successResultOf(self.supervisor.order(b"go\n")), 9)

    def test_refused(self) -> None:
        """A start that the kernel refuses raises, and leaves no descriptor."""
        before = len(os.listdir("/proc/self/fd"))
        self.reactor.refusal = OSError(11, "Resource temporarily unavailable")
        self.assertRaises(OSError, self.supervisors.start, ARGUMENTS, 2)
        self.assertEqual(len(os.listdir("/proc/self/fd")), before)


class EndsTests(SupervisorCase):
    """L{Supervisors}, as what reads ends from a pipe."""

    def tell(self, text: bytes) -> None:
        os.write(self.supervisors._writing, text)
        self.supervisors.doRead()

    def test_told(self) -> None:
        """An end that is told is that of the frame."""
        ended = self.supervisor.order(b"go\n")
        self.tell(b"%d 3\n" % self.supervisor.pid)
        self.assertEqual(self.successResultOf(ended), 3 << 8)

    def test_written(self) -> None:
        """Its berth is free once the end is in the chain file, too, or will never be."""
        self.successResultOf(self.supervisor.when_written())
        wrote = b"%d\n" % self.supervisor.pid
        for finish in (lambda: self.tell(wrote), lambda: self.process.die(9)):
            self.supervisor.order(b"go\n")
            self.tell(b"%d 3\n" % self.supervisor.pid)
            written = self.supervisor.when_written()
            self.assertNoResult(written)
            finish()
            self.successResultOf(written)

    def test_in_pieces(self) -> None:
        """Also if it is read in two pieces, or with others."""
        other = self.supervisors.start(ARGUMENTS, 2)
        self.addCleanup(self.reactor.spawned[-1].close)
        ends = [self.supervisor.order(b"go\n"), other.order(b"go\n")]
        self.tell(b"%d 3\n%d " % (self.supervisor.pid, other.pid))
        self.assertEqual(self.successResultOf(ends[0]), 3 << 8)
        self.assertNoResult(ends[1])
        self.tell(b"4\n")
        self.assertEqual(self.successResultOf(ends[1]), 4 << 8)

    def test_nonsense(self) -> None:
        """What is no end, or nobody's, changes nothing."""
        ended = self.supervisor.order(b"go\n")
        self.tell(b"\n\xff\n1\n1 2 3\n-1 0\n99999999 0\n")
        self.assertNoResult(ended)
