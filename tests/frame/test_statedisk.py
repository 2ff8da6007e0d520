"""The disk of the state folder, in trouble."""

from __future__ import annotations

import os
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from rqd.frame.patience import TooLate
from rqd.frame.records import STATE
from rqd.frame.statedisk import (
    CALM,
    CROWD,
    CROWD_PATIENCE,
    LAUNCH_PATIENCE,
    RETRY_FIRST,
    RETRY_LAST,
    SILENCE,
    StateDisk,
)
from rqd.refusals import Unavailable
from tests.frame.fakes import Workers

FULL = OSError(28, "No space left on device")


class DiskCase(SynchronousTestCase):
    """A disk whose folder is there, and what the agent's log says of it."""

    def setUp(self) -> None:
        self.folder = os.path.abspath(self.mktemp())
        os.mkdir(self.folder)
        self.clock, self.workers = Clock(), Workers()
        self.disk = StateDisk([self.folder], reactor=self.clock, workers=self.workers)
        self.events: list[dict[str, Any]] = []
        globalLogPublisher.addObserver(self.events.append)
        self.addCleanup(globalLogPublisher.removeObserver, self.events.append)

    def said(self) -> list[str]:
        """What it said, but for the values."""
        return [
            str(event["log_format"]).partition(":")[0].partition(" after=")[0]
            for event in self.events
            if "state folder" in str(event.get("log_format"))
        ]

    def fail(self, problem: OSError = FULL) -> None:
        self.workers.broken[STATE] = problem

    def write(self) -> Deferred[None]:
        return self.disk.write(lambda: None)


class FailingTests(DiskCase):
    """Writes that fail."""

    def test_said_once(self) -> None:
        """However much fails, it is said once; and once that it is over."""
        self.fail()
        for _ in range(1000):
            self.failureResultOf(self.write(), OSError)
        self.clock.pump([RETRY_LAST] * 10)
        self.assertTrue(self.disk.in_trouble)
        self.assertEqual(self.said(), ["the state folder fails"])
        self.workers.broken.clear()
        self.clock.advance(RETRY_LAST)
        self.assertFalse(self.disk.in_trouble)
        self.assertEqual(self.said(), ["the state folder fails", "the state folder is back"])

    def test_figures(self) -> None:
        """At the end it says how many launches were refused, and how much was written late."""
        self.fail()
        self.write().addErrback(lambda _: None)
        self.assertTrue(self.disk.refused())
        self.disk.unkept.add("a", lambda: None)
        self.workers.broken.clear()
        self.clock.advance(RETRY_FIRST)
        event = self.events[-1]
        self.assertEqual((event["refused"], event["late"]), (1, 1))

    def test_a_read_fails(self) -> None:
        """A read that fails says nothing of writes; who can't do without is told of the end."""
        self.fail()
        self.failureResultOf(self.disk.run(lambda: None), OSError)
        self.assertFalse(self.disk.in_trouble)
        back = self.disk.back(FULL)
        self.clock.advance(RETRY_FIRST)
        self.assertNoResult(back)
        self.workers.broken.clear()
        self.clock.advance(RETRY_LAST)
        self.successResultOf(back)

    def test_written_late(self) -> None:
        """What waits is written before the disk is trusted again."""
        self.fail()
        self.write().addErrback(lambda _: None)
        lines: list[str] = []
        written = self.disk.unkept.add("a", lambda: lines.append("a"))
        self.workers.broken.clear()
        self.clock.advance(RETRY_FIRST)
        self.successResultOf(written)
        self.assertEqual(lines, ["a"])

    def test_small_things_prove_nothing(self) -> None:
        """That something small goes well on a full disk is not the end of the trouble."""
        self.fail()
        self.write().addErrback(lambda _: None)
        self.workers.broken.clear()
        os.rmdir(self.folder)  # where the larger one would go
        self.successResultOf(self.write())
        self.clock.advance(RETRY_FIRST)
        self.assertTrue(self.disk.in_trouble)
        os.mkdir(self.folder)
        self.clock.advance(RETRY_LAST)
        self.assertFalse(self.disk.in_trouble)
        self.assertEqual(os.listdir(self.folder), [])

    def test_now_and_then(self) -> None:
        """A disk that is full every other moment is looked at, and spoken of, ever less."""
        for _ in range(200):
            self.fail()
            self.write().addErrback(lambda _: None)
            self.workers.broken.clear()
            self.clock.advance(1.0)
        self.assertLess(len(self.said()), 30)

    def test_another_trouble(self) -> None:
        """After a while of calm trouble is looked at as soon as the first was."""
        for _ in range(3):
            self.fail()
            self.write().addErrback(lambda _: None)
            self.workers.broken.clear()
            self.clock.advance(RETRY_FIRST)
            self.assertFalse(self.disk.in_trouble)
            self.clock.advance(CALM + 1)


class SilentTests(DiskCase):
    """A disk that hangs."""

    def setUp(self) -> None:
        super().setUp()
        self.workers.hold(STATE)

    def test_nothing_asked(self) -> None:
        """A disk that was asked nothing is not silent."""
        self.clock.advance(100)
        self.assertEqual(self.disk.silent_for, 0.0)
        self.disk.admit()

    def test_refused_at_once(self) -> None:
        """After 2 s launches are refused without a try, and that is said once."""
        self.clock.advance(100)
        self.write()
        self.clock.advance(SILENCE)
        self.disk.admit()
        self.clock.advance(5)
        for _ in range(1000):
            refusal = self.assertRaises(Unavailable, self.disk.admit)
        self.assertEqual(refusal.detail, "the state folder has not answered for 7 s")
        self.assertEqual(self.said(), ["the state folder does not answer"])
        self.workers.release(STATE)
        self.disk.admit()
        self.assertEqual(
            self.said(), ["the state folder does not answer", "the state folder answers again"]
        )
        self.assertEqual(self.events[-1]["refused"], 1000)

    def test_slow(self) -> None:
        """One that answers every few seconds is said to be silent once, not each time."""
        self.workers.release(STATE)
        for _ in range(10):
            self.workers.hold(STATE)
            self.write()
            self.clock.advance(SILENCE + 1)
            self.assertRaises(Unavailable, self.disk.admit)
            self.workers.release(STATE)
        self.assertEqual(len(self.said()), 2)

    def test_one_that_answers(self) -> None:
        """One job that hangs is no silence while others are answered."""
        self.write()
        self.workers.release(STATE)
        self.workers.hold(STATE)
        self.write()
        self.clock.advance(SILENCE)
        self.disk.admit()

    def test_patience_with_launches(self) -> None:
        """Two launches wait 5 s, those that come meanwhile half a second: threads stay free."""
        waits = [self.disk.launched(Deferred()) for _ in range(4)]
        self.clock.advance(CROWD_PATIENCE)
        for wait in waits[CROWD:]:
            self.failureResultOf(wait, TooLate)
        self.clock.advance(LAUNCH_PATIENCE - CROWD_PATIENCE - 0.1)
        for wait in waits[:CROWD]:
            self.assertNoResult(wait)
        self.clock.advance(0.1)
        for wait in waits[:CROWD]:
            self.failureResultOf(wait, TooLate)

    def test_many_launches(self) -> None:
        """Launches that don't wait are no crowd."""
        for _ in range(10):
            recording: Deferred[int] = Deferred()
            launched = self.disk.launched(recording)
            recording.callback(1)
            self.assertEqual(self.successResultOf(launched), 1)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_soon(self) -> None:
        """Who waits for a disk that has been silent for a while waits for that much less."""
        self.write()
        self.clock.advance(3)
        waited = self.disk.soon(self.write(), 5)
        self.clock.advance(1.9)
        self.assertNoResult(waited)
        self.clock.advance(0.1)
        self.failureResultOf(waited, TooLate)
