"""Completions are delivered: at once, in order, at least once, whatever Cuebot does."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.logger import LogEvent, formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from rqd.report.outbox import Outbox
from rqd.report.pace import PATIENCE, WINDOW
from tests.report.fakes import Calls, unavailable

LONGEST_PROBE = 5.0
REFUSAL = 30.0


def probe_backoff(failures: int) -> float:
    return min(0.01 * 2.0**failures, LONGEST_PROBE)


class OutboxCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.calls = Calls()
        self.settled: list[str] = []
        self.outbox = self.make_outbox(self.calls, self.settled.append)

    def make_outbox(self, send: Any, settle: Any) -> Outbox:
        return Outbox(
            reactor=self.clock,
            send=send,
            settle=settle,
            probe_backoff=probe_backoff,
            refusal_backoff=lambda refusals: REFUSAL,
        )

    def post(self, *numbers: int) -> None:
        for number in numbers:
            self.outbox.post(f"key {number}", b"report %d" % number)

    def sent(self) -> list[int]:
        return [int(report.split()[1]) for report in self.calls.sent]

    def on_their_way(self) -> list[int]:
        return [int(report.split()[1]) for report, _ in self.calls.open]


class DeliveryTests(OutboxCase):
    """Cuebot answers."""

    def test_at_once(self) -> None:
        """A report leaves in the turn in which it is posted."""
        self.post(1)
        self.assertEqual(self.calls.sent, [b"report 1"])
        self.assertEqual(self.outbox.waiting, 1)

    def test_settled(self) -> None:
        """A report is settled once Cuebot took it, not before."""
        self.post(1)
        self.assertEqual(self.settled, [])
        self.calls.take()
        self.assertEqual(self.settled, ["key 1"])
        self.assertEqual(self.outbox.waiting, 0)

    def test_window(self) -> None:
        """Many reports leave in order, a bounded number at a time."""
        self.post(*range(100))
        self.assertEqual(self.on_their_way(), list(range(WINDOW)))
        while self.calls.open:
            self.calls.take()
        self.assertEqual(self.sent(), list(range(100)))
        self.assertEqual(len(self.settled), 100)

    def test_hanging(self) -> None:
        """One that hangs holds up none of the others."""
        self.post(*range(100))
        while len(self.calls.open) > 1:
            self.calls.take(1)
        self.assertEqual(self.on_their_way(), [0])
        self.assertEqual(len(self.settled), 99)

    def test_settle_fails(self) -> None:
        """A record that can't be deleted is logged, and the reports go on."""

        def settle(key: str) -> None:
            raise ZeroDivisionError

        self.outbox = self.make_outbox(self.calls, settle)
        self.post(1, 2)
        self.calls.take()
        self.calls.take()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 2)
        self.assertEqual(self.outbox.waiting, 0)


class TroubleTests(OutboxCase):
    """Cuebot is away, or refuses."""

    def test_retry(self) -> None:
        """A refused report is sent again, and settled when it is taken."""
        self.post(1)
        self.calls.refuse()
        self.clock.advance(probe_backoff(1))
        self.calls.take()
        self.assertEqual(self.sent(), [1, 1])
        self.assertEqual(self.settled, ["key 1"])

    def test_send_raises(self) -> None:
        """A send that raises is a failure like any other."""
        answers: list[Any] = [ZeroDivisionError()]

        def send(report: bytes) -> Deferred[bytes]:
            if answers:
                raise answers.pop()
            return succeed(b"")

        self.outbox = self.make_outbox(send, self.settled.append)
        self.post(1)
        self.clock.advance(probe_backoff(1))
        self.assertEqual(self.settled, ["key 1"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_down(self) -> None:
        """While Cuebot is down thousands of reports wait, and one at a time is tried."""
        self.post(*range(3000))
        while self.calls.open:
            self.calls.refuse()
        before = len(self.calls.sent)
        self.assertEqual(before, WINDOW)
        for _ in range(3600):
            self.clock.advance(1)
            self.assertLessEqual(len(self.calls.open), 1)
            while self.calls.open:
                self.calls.refuse()
        self.assertLess(len(self.calls.sent) - before, 3600 / LONGEST_PROBE + 20)
        self.assertLessEqual(len(self.clock.getDelayedCalls()), 1)
        self.assertEqual(self.outbox.waiting, 3000)

    def test_back(self) -> None:
        """When Cuebot is back, all reports flow at once, the oldest first."""
        self.post(*range(100))
        while self.calls.open:
            self.calls.refuse()
        for _ in range(10):
            self.clock.advance(LONGEST_PROBE)
            self.calls.refuse()
        self.clock.advance(LONGEST_PROBE)
        before = len(self.calls.sent)
        first = int(self.calls.take().split()[1])
        while self.calls.open:
            self.calls.take()
        rest = [number for number in range(100) if number != first]
        self.assertEqual(self.sent()[before:], rest)
        self.assertEqual(self.outbox.waiting, 0)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_sends_that_end_at_once(self) -> None:
        """Thousands of sends that end in the same turn don't exhaust the stack."""
        answers = iter([fail(unavailable())])
        self.outbox = self.make_outbox(
            lambda report: next(answers, succeed(b"")), self.settled.append
        )
        self.post(*range(5000))
        self.assertEqual(self.outbox.waiting, 5000)
        self.clock.advance(LONGEST_PROBE)
        self.assertEqual(len(self.settled), 5000)

    def test_soon_found(self) -> None:
        """A Cuebot that comes back within a second is found about as soon."""
        self.post(1)
        while self.clock.seconds() < 1:
            while self.calls.open:
                self.calls.refuse()
            self.clock.advance(0.01)
        self.clock.advance(1.5)
        self.calls.take()
        self.assertEqual(self.settled, ["key 1"])

    def test_hanging_cuebot(self) -> None:
        """While a probe hangs others are tried beside it, no more than the window allows."""
        self.post(*range(100))
        self.calls.refuse()
        for _ in range(1000):
            self.clock.advance(PATIENCE)
        self.assertEqual(len(self.calls.open), WINDOW)

    def test_posted_meanwhile(self) -> None:
        """A frame that ends while Cuebot is away joins those that wait."""
        self.post(1)
        self.calls.refuse()
        self.post(2)
        self.assertEqual(self.calls.open, [])
        self.clock.advance(LONGEST_PROBE)
        self.calls.take()
        self.calls.take()
        self.assertEqual(sorted(self.settled), ["key 1", "key 2"])

    def test_refused_for_good(self) -> None:
        """One that Cuebot always refuses neither holds up the others nor is tried all the time."""
        tries: list[float] = []

        def send(report: bytes) -> Deferred[bytes]:
            if report == b"report 0":
                tries.append(self.clock.seconds())
                return fail(unavailable())
            return succeed(b"")

        self.outbox = self.make_outbox(send, self.settled.append)
        for number in range(1000):
            self.post(number)
            self.clock.advance(0.3)
        self.assertEqual(len(self.settled), 999)
        self.assertLess(len(tries), 300 / REFUSAL + 3)
        self.assertGreater(len(tries), 300 / REFUSAL - 3)
        self.assertEqual(self.outbox.waiting, 1)

    def test_said_once(self) -> None:
        """An outage is one warning; its end is one line."""
        events: list[LogEvent] = []
        globalLogPublisher.addObserver(events.append)
        self.addCleanup(globalLogPublisher.removeObserver, events.append)
        self.post(*range(50))
        for _ in range(100):
            while self.calls.open:
                self.calls.refuse()
            self.clock.advance(LONGEST_PROBE)
        while self.calls.open:
            self.calls.take()
        self.assertEqual(len(events), 2, [formatEvent(event) for event in events])

    @settings(max_examples=50, deadline=None)
    @given(st.lists(st.sampled_from(["post", "take", "refuse", "wait"]), max_size=200))
    def test_nothing_is_lost(self, script: list[str]) -> None:
        """Whatever Cuebot does and when, in the end each report was settled, once."""
        self.setUp()
        posted = 0
        for step in script:
            if step == "post":
                self.post(posted)
                posted += 1
            elif step == "wait":
                self.clock.advance(0.7)
            elif self.calls.open:
                self.calls.take() if step == "take" else self.calls.refuse()
        while self.outbox.waiting:
            while self.calls.open:
                self.calls.take()
            self.clock.advance(REFUSAL)
        self.assertEqual(sorted(self.settled), sorted(f"key {n}" for n in range(posted)))
        self.assertEqual(self.clock.getDelayedCalls(), [])


class EndTests(OutboxCase):
    """The agent ends."""

    def test_drained(self) -> None:
        """A drain is over when the last report was taken."""
        self.post(1, 2)
        drained = self.outbox.drain(10)
        self.calls.take()
        self.assertNoResult(drained)
        self.calls.take()
        self.assertTrue(self.successResultOf(drained))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_nothing_to_drain(self) -> None:
        """With nothing waiting a drain is over at once."""
        self.assertTrue(self.successResultOf(self.outbox.drain(10)))

    def test_drain_times_out(self) -> None:
        """A drain ends in time though Cuebot doesn't answer, and a late answer is no trouble."""
        self.post(1)
        drained = self.outbox.drain(10)
        self.clock.advance(10)
        self.assertFalse(self.successResultOf(drained))
        self.calls.take()
        self.assertEqual(self.settled, ["key 1"])

    def test_drain_hurries(self) -> None:
        """A drain tries what waits at once."""
        self.post(1)
        for _ in range(20):
            self.calls.refuse()
            self.clock.advance(LONGEST_PROBE)
        self.calls.refuse()
        self.outbox.drain(10)
        self.assertEqual(len(self.calls.open), 1)
        self.calls.refuse()
        self.clock.advance(probe_backoff(2))
        self.assertEqual(len(self.calls.open), 1)

    def test_stop(self) -> None:
        """After a stop nothing is sent, whatever happens to what was on its way."""
        self.post(1, 2, 3)
        self.outbox.stop()
        self.calls.refuse()
        self.calls.take()
        self.post(4)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.sent(), [1, 2, 3])
        self.assertEqual(self.settled, ["key 2"])

    def test_stop_in_trouble(self) -> None:
        """A stop in the middle of an outage leaves no timer."""
        self.post(1)
        self.calls.refuse()
        self.outbox.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])
