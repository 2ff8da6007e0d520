"""A host is announced, then its status is reported."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from rqd.report.heartbeat import COALESCE, Heartbeat
from rqd.report.presence import PATIENCE, Presence
from tests.report.fakes import Calls


class PresenceTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.calls = Calls()
        self.announced: Deferred[None] = Deferred()
        heartbeat = Heartbeat(
            reactor=self.clock,
            build=lambda: "status",
            send=self.calls,
            interval=1000.0,
            backoff=lambda failures: 1.0,
        )
        self.presence = Presence(
            reactor=self.clock, announce=lambda: self.announced, heartbeat=heartbeat
        )
        self.presence.start()

    def test_order(self) -> None:
        """The first status follows the startup report at once, and doesn't come before it."""
        self.presence.changed()
        self.clock.advance(PATIENCE / 2)
        self.assertEqual(self.calls.sent, [])
        self.announced.callback(None)
        self.assertEqual(self.calls.sent, ["status"])
        self.clock.advance(PATIENCE)
        self.assertEqual(self.calls.sent, ["status"])

    def test_not_announced(self) -> None:
        """If no startup report is taken for long, the status is reported all the same."""
        self.clock.advance(PATIENCE)
        self.assertEqual(self.calls.sent, ["status"])
        self.calls.take()
        self.announced.callback(None)
        self.assertEqual(self.calls.sent, ["status"])

    def test_change(self) -> None:
        """A change after the start is reported soon."""
        self.announced.callback(None)
        self.calls.take()
        self.presence.changed()
        self.clock.advance(COALESCE)
        self.assertEqual(len(self.calls.sent), 2)

    def test_stop_before_announced(self) -> None:
        """A stop ends the announcement; nothing is left to happen."""
        self.presence.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.calls.sent, [])

    def test_stop(self) -> None:
        """A stop ends the status reports."""
        self.announced.callback(None)
        self.presence.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_broken(self) -> None:
        """A bug in the announcement is logged, and the status is reported after the wait."""
        self.announced.errback(ZeroDivisionError())
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.clock.advance(PATIENCE)
        self.assertEqual(self.calls.sent, ["status"])

    def test_told(self) -> None:
        """Who leaves hears when Cuebot has heard; where nothing is reported yet, at once."""
        self.successResultOf(self.presence.told())
        self.announced.callback(None)
        told = self.presence.told()
        self.calls.take()
        self.assertNoResult(told)
        self.clock.advance(COALESCE)
        self.calls.take()
        self.successResultOf(told)
