"""Trouble is said once."""

from __future__ import annotations

from twisted.logger import LogEvent, LogLevel, formatEvent, globalLogPublisher
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from rqd.report.outage import Outage
from tests.report.fakes import unavailable


class OutageTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.events: list[LogEvent] = []
        globalLogPublisher.addObserver(self.events.append)
        self.addCleanup(globalLogPublisher.removeObserver, self.events.append)

    def said(self) -> list[tuple[LogLevel, str]]:
        return [(event["log_level"], formatEvent(event)) for event in self.events]

    def test_once_each(self) -> None:
        """A hundred failures are one warning, and the success after them one line."""
        outage = Outage("status reports")
        for _ in range(100):
            outage.failed(Failure(unavailable()))
        for _ in range(100):
            outage.answered()
        (warned, warning), (told, relief) = self.said()
        self.assertEqual((warned, told), (LogLevel.warn, LogLevel.info))
        for part in ("status reports", "code=UNAVAILABLE", "endpoint=cuebot:8443", "refused"):
            self.assertIn(part, warning)
        self.assertIn("status reports", relief)

    def test_waiting(self) -> None:
        """Both say how many wait, where somebody counts them."""
        waiting = iter((5, 20_000))
        outage = Outage("completion reports", waiting=lambda: next(waiting))
        outage.failed(Failure(unavailable()))
        outage.answered()
        (_, warning), (_, relief) = self.said()
        self.assertIn(" waiting=5 code", warning)
        self.assertIn(" waiting=20000", relief)

    def test_no_trouble(self) -> None:
        """Nothing is said of reports that are taken."""
        Outage("status reports").answered()
        self.assertEqual(self.events, [])

    def test_unexpected(self) -> None:
        """An error that is not Cuebot's comes with its traceback."""
        Outage("status reports").failed(Failure(ZeroDivisionError()))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
