"""Status reports: regular, soon after changes, never more than one at a time."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from rqd.report.heartbeat import COALESCE, Heartbeat
from tests.report.fakes import Calls

INTERVAL = 5.0
RETRY = 0.5


class HeartbeatTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.calls = Calls()
        self.facts: str | Exception = "idle"
        self.heartbeat = Heartbeat(
            reactor=self.clock,
            build=self.build,
            send=self.send,
            interval=INTERVAL,
            backoff=lambda failures: RETRY * failures,
        )

    def build(self) -> Any:
        """Each report is the facts as they are when it is built."""
        if isinstance(self.facts, Exception):
            raise self.facts
        return self.facts

    def send(self, report: str) -> Deferred[Any]:
        if report == "explosive":
            raise ZeroDivisionError
        return self.calls(report)

    def test_interval(self) -> None:
        """The first report goes out at once, one more at each interval."""
        self.heartbeat.start()
        for reports in range(1, 10):
            self.assertEqual(len(self.calls.sent), reports)
            self.calls.take()
            self.clock.advance(INTERVAL)

    def test_pace(self) -> None:
        """Another interval counts from the next report on."""
        self.heartbeat.start()
        self.calls.take()
        self.heartbeat.pace(INTERVAL / 4)
        self.clock.advance(INTERVAL)
        self.calls.take()
        self.clock.advance(INTERVAL / 4)
        self.assertEqual(len(self.calls.sent), 3)

    def test_change(self) -> None:
        """A change is reported soon, and many changes by one report."""
        self.heartbeat.start()
        self.calls.take()
        self.heartbeat.changed()
        self.clock.advance(COALESCE / 2)
        self.heartbeat.changed()
        self.facts = "locked"
        self.assertEqual(len(self.calls.open), 0)
        self.clock.advance(COALESCE / 2)
        self.assertEqual(self.calls.take(), "locked")
        self.clock.advance(INTERVAL - 2 * COALESCE)
        self.assertEqual(len(self.calls.sent), 2)

    def test_change_in_flight(self) -> None:
        """A change is told soon, whatever Cuebot is at; further ones once it has answered."""
        self.heartbeat.start()
        for facts in ("locked", "unlocked", "locked again"):
            self.facts = facts
            self.heartbeat.changed()
            self.clock.advance(1)
        self.assertEqual(self.calls.sent, ["idle", "locked"])
        self.calls.take(0)
        self.clock.advance(COALESCE)
        self.assertEqual(self.calls.sent[2:], ["locked again"])
        self.calls.take(0)
        self.calls.take(0)
        self.clock.advance(COALESCE)
        self.assertEqual(len(self.calls.sent), 3)

    def test_within_100_ms(self) -> None:
        """A report of a change leaves within a tenth of a second, also while one hangs."""
        self.assertLess(COALESCE, 0.1)
        self.heartbeat.start()
        self.clock.advance(INTERVAL / 2)
        self.heartbeat.changed()
        self.clock.advance(COALESCE)
        self.assertEqual(len(self.calls.open), 2)

    def test_hanging(self) -> None:
        """No more than two are ever on their way, however many changes there are."""
        self.heartbeat.start()
        for _ in range(100):
            self.heartbeat.changed()
            self.clock.advance(INTERVAL / 3)
        self.assertEqual(len(self.calls.open), 2)

    def overtaken(self) -> None:
        """Two reports are in flight, and the newer is taken first."""
        self.heartbeat.start()
        self.facts = "locked"
        self.heartbeat.changed()
        self.clock.advance(COALESCE)
        self.calls.take(1)
        self.clock.advance(COALESCE)
        self.assertEqual(len(self.calls.sent), 2)

    def test_overtaken(self) -> None:
        """If the older of two is taken last, the newest facts are told once more."""
        self.overtaken()
        self.calls.take()
        self.clock.advance(COALESCE)
        self.assertEqual(self.calls.sent[2:], ["locked"])
        self.calls.take()
        self.clock.advance(COALESCE)
        self.assertEqual(len(self.calls.sent), 3)

    def test_overtaken_and_failed(self) -> None:
        """Neither is a failure proof that Cuebot didn't hear the older one."""
        self.overtaken()
        self.calls.refuse()
        self.clock.advance(COALESCE)
        self.assertEqual(self.calls.take(), "locked")

    def test_told(self) -> None:
        """Who wants to know is told when Cuebot has heard what was so when they asked."""
        self.heartbeat.start()
        self.facts = "locked"
        told = self.heartbeat.told()
        self.calls.take()
        self.assertNoResult(told)
        self.clock.advance(COALESCE)
        self.calls.refuse()
        self.assertNoResult(told)
        self.clock.advance(RETRY)
        self.assertEqual(self.calls.take(), "locked")
        self.successResultOf(told)

    def test_told_before_start(self) -> None:
        """Where no status is reported yet there is nothing to wait for."""
        self.successResultOf(self.heartbeat.told())

    def test_slow_cuebot(self) -> None:
        """Reports don't queue behind one that is not answered; the next tells the newest facts."""
        self.heartbeat.start()
        for ticks in range(20):
            self.facts = f"busy for {ticks} ticks"
            self.clock.advance(INTERVAL)
        self.assertEqual(len(self.calls.sent), 1)
        self.calls.take()
        self.clock.advance(INTERVAL)
        self.assertEqual(self.calls.sent[1:], ["busy for 19 ticks"])

    def test_tick_tells_change(self) -> None:
        """A change that a tick has told already is not told again."""
        self.heartbeat.start()
        self.calls.take()
        self.clock.advance(INTERVAL - COALESCE / 2)
        self.heartbeat.changed()
        self.clock.advance(COALESCE / 2)
        self.calls.take()
        self.clock.advance(COALESCE)
        self.assertEqual(len(self.calls.sent), 2)

    def test_refused(self) -> None:
        """A refused report is followed by a fresh one after the backoff."""
        self.heartbeat.start()
        self.calls.refuse()
        self.facts = "locked"
        self.clock.advance(RETRY)
        self.calls.refuse()
        self.clock.advance(RETRY)
        self.assertEqual(self.calls.open, [])
        self.clock.advance(RETRY)
        self.assertEqual(self.calls.take(), "locked")

    def test_down_for_long(self) -> None:
        """However long Cuebot is away, a report is tried at each tick, and no timers pile up."""
        self.heartbeat.start()
        for _ in range(100):
            self.calls.refuse()
            self.assertLessEqual(len(self.clock.getDelayedCalls()), 2)
            self.clock.advance(INTERVAL)
            self.assertEqual(len(self.calls.open), 1)
        self.calls.take()
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)

    def test_build_fails(self) -> None:
        """A report that can't be built is logged, and the next tick tries again."""
        self.heartbeat.start()
        self.calls.take()
        self.facts = ZeroDivisionError()
        self.clock.advance(INTERVAL)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.facts = "well again"
        self.clock.advance(INTERVAL)
        self.assertEqual(self.calls.take(), "well again")

    def test_send_raises(self) -> None:
        """A bug in sending is logged, and reports go on."""
        self.facts = "explosive"
        self.heartbeat.start()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.facts = "well again"
        self.clock.advance(INTERVAL)
        self.assertEqual(self.calls.sent, ["well again"])

    def test_stop(self) -> None:
        """After a stop nothing is sent, whatever happens."""
        self.heartbeat.start()
        self.heartbeat.changed()
        self.heartbeat.stop()
        self.calls.refuse()
        self.heartbeat.changed()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(len(self.calls.sent), 1)

    def test_changed_before_start(self) -> None:
        """A change before the start needs no report of its own."""
        self.heartbeat.changed()
        self.assertEqual(self.clock.getDelayedCalls(), [])
