"""Signs of life for systemd's watchdog."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from rqd.systemd.watchdog import Watchdog, patience


class Reactor(Clock):
    """One that threads hand things to."""

    def callFromThread(self, call: Callable[[], object]) -> None:
        self.callLater(0, call)


class WatchdogTests(SynchronousTestCase):
    """``Watchdog``: threads are begun, and end, when the test says so."""

    def setUp(self) -> None:
        self.reactor = Reactor()
        self.signs = 0
        self.threads: list[Callable[[], object]] = []
        self.may_begin = True
        self.watchdog = Watchdog(60.0, self.sign, reactor=self.reactor, in_thread=self.begin_thread)
        self.watchdog.start()

    def sign(self) -> None:
        self.signs += 1

    def begin_thread(self, work: Callable[[], object]) -> None:
        if not self.may_begin:
            raise RuntimeError("can't start new thread")
        self.threads.append(work)

    def end_threads(self) -> None:
        for work in self.threads:
            work()
        self.threads.clear()
        self.reactor.advance(0)

    def test_well(self) -> None:
        """A sign at once, and one more each half of the time that systemd waits."""
        self.end_threads()
        self.assertEqual(self.signs, 1)
        for _ in range(3):
            self.reactor.advance(30.0)
            self.end_threads()
        self.assertEqual(self.signs, 4)

    def test_by_way_of_a_thread(self) -> None:
        """The reactor's timers alone are no sign of life."""
        self.reactor.advance(30.0)
        self.assertEqual(self.signs, 0)
        self.assertEqual(len(self.threads), 1)
        self.end_threads()
        self.assertEqual(self.signs, 1)

    def test_no_threads(self) -> None:
        """Where no thread can be started there is none, until one can."""
        self.end_threads()
        self.may_begin = False
        self.reactor.pump([30.0] * 3)
        self.assertEqual(self.signs, 1)
        self.may_begin = True
        self.reactor.advance(30.0)
        self.end_threads()
        self.assertEqual(self.signs, 2)

    def test_patience(self) -> None:
        """systemd says how long it waits, and for whom."""
        self.assertEqual(patience({"WATCHDOG_USEC": "90000000"}, 7), 90.0)
        self.assertEqual(patience({"WATCHDOG_USEC": "1", "WATCHDOG_PID": "7"}, 7), 1e-6)
        for environ in ({}, {"WATCHDOG_USEC": "x"}, {"WATCHDOG_USEC": "1", "WATCHDOG_PID": "8"}):
            self.assertEqual(patience(environ, 7), 0.0)
