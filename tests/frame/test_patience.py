"""Waiting for a bounded time, and giving nothing up."""

from __future__ import annotations

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from rqd.frame.patience import within


class WithinTests(SynchronousTestCase):
    """L{within}."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.waited: Deferred[str] = Deferred()

    def test_at_once(self) -> None:
        """What is there already is in time, and leaves no timer."""
        outcome = within(succeed(1), 5, reactor=self.clock)
        self.clock.advance(0)
        self.assertTrue(self.successResultOf(outcome))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_in_time(self) -> None:
        """What comes in time is told the turn after it came, and keeps its result."""
        outcome = within(self.waited, 5, reactor=self.clock)
        self.clock.advance(4.9)
        self.assertNoResult(outcome)
        self.waited.callback("x")
        self.clock.advance(0)
        self.assertTrue(self.successResultOf(outcome))
        self.assertEqual(self.successResultOf(self.waited), "x")
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_too_late(self) -> None:
        """What doesn't is told at the end of patience, goes on, and keeps its result."""
        outcome = within(self.waited, 5, reactor=self.clock)
        self.clock.advance(5)
        self.assertFalse(self.successResultOf(outcome))
        self.waited.callback("late")
        self.assertEqual(self.successResultOf(self.waited), "late")

    def test_failure(self) -> None:
        """A failure is an arrival; it stays with what was waited for, and is nobody else's."""
        waited: Deferred[str] = fail(ValueError("no"))
        outcome = within(waited, 5, reactor=self.clock)
        self.clock.advance(0)
        self.assertTrue(self.successResultOf(outcome))
        self.failureResultOf(waited, ValueError)

    def test_failure_can_be_awaited(self) -> None:
        """Who waits for both gets the failure, and nobody has to hear of it twice."""

        async def wait() -> str:
            return await self.waited if await within(self.waited, 5, reactor=self.clock) else ""

        result = Deferred.fromCoroutine(wait())
        self.waited.errback(ValueError("no"))
        self.clock.advance(0)
        self.failureResultOf(result, ValueError)

    def test_late_failure(self) -> None:
        """So does a late one."""
        outcome = within(self.waited, 5, reactor=self.clock)
        self.clock.advance(5)
        self.assertFalse(self.successResultOf(outcome))
        self.waited.errback(ValueError("no"))
        self.failureResultOf(self.waited, ValueError)
