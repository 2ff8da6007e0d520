"""Time that passes is not the date."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from twisted.internet.base import ReactorBase
from twisted.internet.task import LoopingCall
from twisted.trial.unittest import SynchronousTestCase

from rqd.clock import keep_monotonic_time


class StillReactor(ReactorBase):
    """Twisted's own timers, and nothing that turns them but the test."""

    def installWaker(self) -> None:
        """It never sleeps."""


class ClockTests(SynchronousTestCase):
    """A reactor whose wall and monotonic clocks the test sets."""

    def setUp(self) -> None:
        self.date = 1_800_000_000.0
        self.passed = 5000.0
        self.patch(time, "monotonic", lambda: self.passed)
        self.reactor: Any = StillReactor()
        self.reactor.seconds = lambda: self.date  # as Twisted has it
        keep_monotonic_time(self.reactor)
        self.fired: list[float] = []

    def let(self, passed: float = 0.0, jump: float = 0.0) -> None:
        """Let time pass, set the date, and let the reactor see."""
        self.passed += passed
        self.date += passed + jump
        self.reactor.runUntilCurrent()

    def note(self) -> None:
        self.fired.append(self.passed - 5000.0)

    def check_jump(self, plan: Callable[[], object]) -> None:
        """What is planned for 10 s later comes then, whatever is done to the date."""
        plan()
        self.let(passed=4)
        for jump in (86400, -2 * 86400, 86400):
            self.let(jump=jump)
            self.let(passed=1.75)
        self.assertEqual(self.fired, [])
        self.assertAlmostEqual(self.reactor.timeout(), 0.75)
        self.let(passed=0.75)
        self.assertEqual(self.fired, [10.0])

    def test_timer(self) -> None:
        """A timer is neither early nor late when the date is set."""
        self.check_jump(lambda: self.reactor.callLater(10, self.note))

    def test_timer_that_was_moved(self) -> None:
        """Nor is one that was put off."""
        self.check_jump(lambda: self.reactor.callLater(3, self.note).reset(10))

    def test_loop(self) -> None:
        """Nor is a loop, whose pace stays what it was."""
        loop = LoopingCall(self.note)
        loop.clock = self.reactor
        self.check_jump(lambda: loop.start(10, now=False))
        self.let(passed=9, jump=-86400)
        self.let(passed=1)
        self.assertEqual(self.fired, [10.0, 20.0])
        loop.stop()
