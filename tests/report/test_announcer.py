"""The startup report is tried until it is taken."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from rqd.report.announcer import announce
from tests.report.fakes import Calls


class AnnouncerTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.calls = Calls()
        self.built = 0

    def build(self) -> Any:
        """Each report is the number of reports built so far."""
        self.built += 1
        return self.built

    def announce(self) -> Deferred[None]:
        return Deferred.fromCoroutine(
            announce(
                reactor=self.clock,
                build=self.build,
                send=self.calls,
                backoff=float,
            )
        )

    def test_taken(self) -> None:
        """One report is enough if Cuebot takes it."""
        announced = self.announce()
        self.assertNoResult(announced)
        self.calls.take()
        self.successResultOf(announced)
        self.clock.pump([1] * 100)
        self.assertEqual(self.calls.sent, [1])

    def test_refused(self) -> None:
        """A refused report is followed by a fresh one, after a growing wait, for ever."""
        announced = self.announce()
        for attempt in range(1, 200):
            self.calls.refuse()
            self.clock.advance(attempt - 0.5)
            self.assertEqual(self.calls.open, [])
            self.clock.advance(0.5)
            self.assertEqual(len(self.calls.open), 1)
        self.assertEqual(self.calls.take(), 200)
        self.successResultOf(announced)

    def test_build_fails(self) -> None:
        """A report that can't be built is tried again, too, and the reason is logged."""
        results = iter([ZeroDivisionError, ZeroDivisionError])

        def build() -> Any:
            for error in results:
                raise error
            return "report"

        self.build = build
        self.announce()
        self.clock.pump([1, 2])
        self.assertEqual(self.calls.sent, ["report"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_cancelled_in_flight(self) -> None:
        """Cancelling ends the call in flight and all further attempts."""
        announced = self.announce()
        announced.cancel()
        self.failureResultOf(announced, CancelledError)
        self.assertEqual(self.calls.open, [])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_cancelled_between(self) -> None:
        """Cancelling ends the wait for the next attempt."""
        announced = self.announce()
        self.calls.refuse()
        announced.cancel()
        self.failureResultOf(announced, CancelledError)
        self.assertEqual(self.clock.getDelayedCalls(), [])
