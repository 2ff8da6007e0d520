"""From where a frame's output goes to the whole log, also where its folder hangs."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from rqd.frame.output import OPEN_PATIENCE, Output
from rqd.logging.interfaces import LogUnavailable
from tests.frame.fakes import HangingLogs
from tests.frame.place import Place
from tests.logging.fakes import MemoryLog, MemoryLogs


class OutputCase(SynchronousTestCase):
    """An output that is opened; C{timestamps} say where the frame writes to."""

    timestamps = True

    def begin(self, logs: MemoryLogs) -> Deferred[None]:
        self.place = Place(self, logs)
        self.place.terms(timestamps=self.timestamps)
        self.path = str(self.place.folder / "j.f.rqlog")
        files = self.place.site.records.files("key")
        self.output = Output(self.path, files, self.place.site)
        self.too_big = 0
        opening = Deferred.fromCoroutine(self.output.open(b"header\n", (1, 2), self.count))
        self.place.turn()
        return opening

    def count(self) -> None:
        self.too_big += 1

    @property
    def log(self) -> MemoryLog:
        return self.place.logs.logs[self.path]

    def result(self, work: Any) -> Any:
        return self.successResultOf(Deferred.fromCoroutine(work))


class AlwaysTests:
    """What holds with timestamps and without."""

    timestamps: bool

    def test_open(self: Any) -> None:
        """An opened log has its header and its owner."""
        self.successResultOf(self.begin(MemoryLogs()))
        self.assertEqual(self.log.header, b"header\n")
        self.assertEqual(self.place.logs.owners, {self.path: (1, 2)})
        self.assertEqual(self.place.reactor.getDelayedCalls(), [])

    def test_unavailable(self: Any) -> None:
        """A log that can't be had is told at once; there is nothing to finish then."""
        logs = MemoryLogs()
        logs.refusal = "no such folder"
        problem = self.failureResultOf(self.begin(logs), LogUnavailable).value
        self.assertEqual(problem.explanation, "no such folder")
        self.successResultOf(self.output.close(b"footer\n"))
        self.assertEqual(self.result(self.output.tail(5)), b"")
        self.assertIsNone(self.output.last)
        self.output.leave()

    def test_answers_in_time(self: Any) -> None:
        """A folder that only takes its time is waited for."""
        logs = HangingLogs()
        opening = self.begin(logs)
        self.place.reactor.advance(OPEN_PATIENCE - 0.1)
        self.assertNoResult(opening)
        logs.answer()
        self.place.turn()
        self.successResultOf(opening)

    def test_refused_after_a_while(self: Any) -> None:
        """And may still say no."""
        logs = HangingLogs()
        opening = self.begin(logs)
        logs.answer("stale")
        self.place.turn()
        self.failureResultOf(opening, LogUnavailable)
        self.successResultOf(self.output.close(b"footer\n"))

    def test_follow_and_close(self: Any) -> None:
        """What the frame prints stands between header and footer, and can be looked at."""
        self.successResultOf(self.begin(MemoryLogs()))
        self.output.follow()
        self.log.write(b"1\n2\n3\n", at=7.0)
        self.assertEqual(self.output.last, 7.0)
        self.assertEqual(self.result(self.output.tail(2)), b"2\n3\n")
        self.successResultOf(self.output.close(b"footer\n"))
        self.assertEqual(self.log.text, b"header\n1\n2\n3\nfooter\n")

    def test_too_big(self: Any) -> None:
        """A log over its limit is told of."""
        self.successResultOf(self.begin(MemoryLogs(max_size=3)))
        self.output.follow()
        self.log.write(b"1234")
        self.assertEqual(self.too_big, 1)

    def test_leave(self: Any) -> None:
        """An agent that goes lets go of the log."""
        self.successResultOf(self.begin(MemoryLogs()))
        self.output.leave()
        self.assertTrue(self.log.left)


class SpooledTests(AlwaysTests, OutputCase):
    """L{Output} with timestamps: the frame writes to its spool."""

    def test_target(self) -> None:
        """The frame writes to its spool."""
        self.begin(MemoryLogs())
        self.assertEqual(self.output.target, self.place.site.records.files("key").spool)

    def test_hangs(self) -> None:
        """A folder that hangs delays a start for a bounded time, and nothing but the log after."""
        logs = HangingLogs()
        opening = self.begin(logs)
        self.place.reactor.advance(OPEN_PATIENCE)
        self.successResultOf(opening)
        self.output.follow()
        self.assertTrue(self.log.started)
        self.log.write(b"early\n")
        closing = self.output.close(b"footer\n")
        self.assertNoResult(closing)
        logs.answer()
        self.successResultOf(closing)
        self.assertEqual(self.log.text, b"header\nearly\nfooter\n")

    def test_hangs_and_grows(self) -> None:
        """What waits for a folder that hangs is bounded: the limit holds meanwhile."""
        self.begin(HangingLogs())
        self.log._limit = 3
        self.place.reactor.advance(OPEN_PATIENCE)
        self.output.follow()
        self.log.write(b"1234")
        self.assertEqual(self.too_big, 1)

    def test_refused_late(self) -> None:
        """A folder that says no after the start is the log's own trouble, which tries on."""
        logs = HangingLogs()
        opening = self.begin(logs)
        self.place.reactor.advance(OPEN_PATIENCE)
        self.successResultOf(opening)
        self.output.follow()
        logs.answer("stale")
        closing = self.output.close(b"footer\n")
        self.log.release()
        self.successResultOf(closing)


class DirectTests(AlwaysTests, OutputCase):
    """L{Output} without timestamps: the frame writes to its log itself."""

    timestamps = False

    def test_target(self) -> None:
        """The frame writes to what the log holds open for it."""
        self.begin(MemoryLogs())
        self.assertEqual(self.output.target, self.log.target)

    def test_hangs(self) -> None:
        """A folder that hangs fails the start after a bounded time: the frame would hang, too."""
        logs = HangingLogs()
        opening = self.begin(logs)
        self.place.reactor.advance(OPEN_PATIENCE)
        problem = self.failureResultOf(opening, LogUnavailable).value
        self.assertIn("does not answer", problem.explanation)
        logs.answer("stale")

    def test_answers_late(self) -> None:
        """A log that is opened after all, when nobody wants it any more, is let go of."""
        logs = HangingLogs()
        opening = self.begin(logs)
        self.place.reactor.advance(OPEN_PATIENCE)
        self.failureResultOf(opening, LogUnavailable)
        logs.answer()
        self.assertTrue(self.log.left)
