"""Waiting for a bounded time, and giving nothing up."""

from __future__ import annotations

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from rqd.frame.patience import TooLate, within


class WithinTests(SynchronousTestCase):
    """L{within}."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.waited: Deferred[str] = Deferred()

    def test_at_once(self) -> None:
        """What is there already is in time, and leaves no timer."""
        self.assertEqual(self.successResultOf(within(succeed(1), 5, reactor=self.clock)), 1)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_in_time(self) -> None:
        """What comes in time is handed on at once."""
        outcome = within(self.waited, 5, reactor=self.clock)
        self.clock.advance(4.9)
        self.assertNoResult(outcome)
        self.waited.callback("x")
        self.assertEqual(self.successResultOf(outcome), "x")
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_too_late(self) -> None:
        """What doesn't is told at the end of patience, goes on, and keeps its result."""
        outcome = within(self.waited, 5, reactor=self.clock)
        self.clock.advance(5)
        self.failureResultOf(outcome, TooLate)
        self.waited.callback("late")
        self.assertEqual(self.successResultOf(self.waited), "late")

    def test_failure(self) -> None:
        """A failure is an arrival, and nobody has to hear of it twice."""
        waited: Deferred[str] = fail(ValueError("no"))
        self.failureResultOf(within(waited, 5, reactor=self.clock), ValueError)
        self.successResultOf(waited)

    def test_failure_can_be_awaited(self) -> None:
        """A coroutine that waits gets the failure."""

        async def wait() -> str:
            return await within(self.waited, 5, reactor=self.clock)

        result = Deferred.fromCoroutine(wait())
        self.waited.errback(ValueError("no"))
        self.failureResultOf(result, ValueError)

    def test_late_failure(self) -> None:
        """A late one stays with what was waited for."""
        self.failureResultOf(self.late(), TooLate)
        self.waited.errback(ValueError("no"))
        self.failureResultOf(self.waited, ValueError)

    def late(self) -> Deferred[str]:
        """What was waited for in vain."""
        outcome = within(self.waited, 5, reactor=self.clock)
        self.clock.advance(5)
        return outcome
