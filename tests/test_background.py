"""Work that nobody waits for, and whose failure is still heard."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import LogLevel, LogPublisher
from twisted.trial.unittest import SynchronousTestCase

from rqd.background import background
from rqd.log import Logger


class BackgroundTests(SynchronousTestCase):
    """L{background}."""

    def setUp(self) -> None:
        self.events: list[dict[str, Any]] = []
        publisher = LogPublisher(self.events.append)  # type: ignore[arg-type]
        self.log = Logger("test", observer=publisher)
        self.gate: Deferred[None] = Deferred()
        self.done = False

    async def work(self) -> None:
        await self.gate
        self.done = True

    def test_done(self) -> None:
        """Work goes on in its own time, and says nothing of its success."""
        background(self.work(), self.log, "counting")
        self.assertFalse(self.done)
        self.gate.callback(None)
        self.assertTrue(self.done)
        self.assertEqual(self.events, [])

    def test_failure(self) -> None:
        """A failure is logged once, with its traceback and with what was being done."""
        background(self.work(), self.log, "counting frame_id=f")
        self.gate.errback(ZeroDivisionError("x"))
        (event,) = self.events
        self.assertEqual(
            (event["what"], event["log_level"]), ("counting frame_id=f", LogLevel.critical)
        )
        self.assertIsInstance(event["log_failure"].value, ZeroDivisionError)

    def test_failure_at_once(self) -> None:
        """So is one that happens before anything was awaited; nobody else gets it."""
        self.gate.errback(ZeroDivisionError("x"))
        background(self.work(), self.log, "counting")
        self.assertEqual(len(self.events), 1)
