"""Logs in trouble, told by mount."""

from __future__ import annotations

from typing import Any

from twisted.logger import LogLevel, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from rqd.logging.troubles import Troubles


class TroublesTests(SynchronousTestCase):
    """L{Troubles}."""

    def setUp(self) -> None:
        self.troubles = Troubles(lambda path: path.split("/")[1])
        self.events: list[dict[str, Any]] = []
        globalLogPublisher.addObserver(self.events.append)
        self.addCleanup(globalLogPublisher.removeObserver, self.events.append)

    def said(self, level: LogLevel) -> list[str]:
        return [event["mount"] for event in self.events if event["log_level"] is level]

    def test_once_for_a_mount(self) -> None:
        """However many logs of a mount wait, it is said once, and once that none does."""
        for number in range(1000):
            self.troubles.begin(f"/a/{number}", "full")
        self.troubles.begin("/b/0", "stale")
        self.assertEqual(self.said(LogLevel.warn), ["a", "b"])
        for number in range(999):
            self.troubles.end(f"/a/{number}")
        self.assertEqual(self.said(LogLevel.info), [])
        self.troubles.end("/a/999")
        self.assertEqual(self.said(LogLevel.info), ["a"])
        self.assertEqual(self.events[-1]["most"], 1000)

    def test_again(self) -> None:
        """The next trouble of a mount is news."""
        for _ in range(2):
            self.troubles.begin("/a/0", "full")
            self.troubles.begin("/a/0", "full")
            self.troubles.end("/a/0")
            self.troubles.end("/a/0")
        self.assertEqual(self.said(LogLevel.warn), ["a", "a"])
        self.assertEqual(self.said(LogLevel.info), ["a", "a"])
