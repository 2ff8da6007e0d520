"""Completions are delivered: at once, in order, at least once, whatever Cuebot does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.logger import LogEvent, formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from rqd.report.connection import CuebotError
from rqd.report.outbox import READ_AHEAD, Outbox
from rqd.report.pace import PATIENCE, WINDOW
from rqd.report.queue import IN_PLACE
from rqd.report.shelf import IN_MEMORY
from tests.report.fakes import Calls, unavailable

LONGEST_PROBE = 5.0
REFUSAL = 30.0


def probe_backoff(failures: int) -> float:
    return min(0.01 * 2.0**failures, LONGEST_PROBE)


class Disk:
    """What is on disk. ``held`` are reads that the test lets end, if it wants to."""

    def __init__(self) -> None:
        self.reports: dict[str, bytes] = {}
        self.broken: set[str] = set()
        self.reads: list[Sequence[str]] = []
        self.held: list[Callable[[], None]] | None = None

    def __call__(self, keys: Sequence[str]) -> Deferred[Sequence[bytes | Exception]]:
        self.reads.append(keys)
        reading: Deferred[Sequence[bytes | Exception]] = Deferred()
        found = [OSError(5, "EIO") if k in self.broken else self.reports[k] for k in keys]
        if self.held is None:
            reading.callback(found)
        else:
            self.held.append(lambda: reading.callback(found))
        return reading


class OutboxCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.calls = Calls()
        self.settled: list[str] = []
        self.disk = Disk()
        self.outbox = self.make_outbox(self.calls, self.settled.append)

    def make_outbox(self, send: Any, settle: Any) -> Outbox:
        return Outbox(
            reactor=self.clock,
            send=send,
            fetch=self.disk,
            settle=settle,
            probe_backoff=probe_backoff,
            refusal_backoff=lambda refusals: REFUSAL,
        )

    def post(self, *numbers: int) -> None:
        for number in numbers:
            report = b"report %d" % number
            self.disk.reports[f"key {number}"] = report
            self.outbox.post(f"key {number}", report)

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

    def back(self, error: Exception) -> list[int]:
        """Cuebot is away for a while; return what it takes when it is back."""
        self.post(*range(100))
        while self.calls.open:
            self.calls.refuse(error=error)
        for _ in range(10):
            self.clock.advance(LONGEST_PROBE)
            self.calls.refuse(error=error)
        self.clock.advance(LONGEST_PROBE)
        taken = []
        while self.calls.open:
            taken.append(int(self.calls.take().split()[1]))
        self.assertEqual(self.outbox.waiting, 0)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        return taken

    def test_back(self) -> None:
        """When Cuebot is back, all reports flow at once, in order."""
        self.assertEqual(self.back(unavailable()), list(range(100)))

    def test_back_from_errors(self) -> None:
        """When it had answered with errors, the one that finds out comes first, then all others."""
        first, *rest = self.back(CuebotError("INTERNAL", "no database", "cuebot:8443"))
        self.assertEqual(rest, [number for number in range(100) if number != first])

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

    def refused_for_good(self, error: Exception) -> list[float]:
        """Many are taken, the first never is; return when that is tried."""
        tries: list[float] = []

        def send(report: bytes) -> Deferred[bytes]:
            if report == b"report 0":
                tries.append(self.clock.seconds())
                return fail(error)
            return succeed(b"")

        self.outbox = self.make_outbox(send, self.settled.append)
        for number in range(2000):
            self.post(number)
            self.clock.advance(0.3)
        self.assertEqual(len(self.settled), 1999)
        self.assertEqual(self.outbox.waiting, 1)
        return tries

    def test_refused_for_good(self) -> None:
        """One that Cuebot always refuses neither holds up the others nor is tried all the time."""
        tries = self.refused_for_good(CuebotError("INTERNAL", "an odd report", "cuebot:8443"))
        self.assertLess(len(tries), 600 / REFUSAL + 3)
        self.assertGreater(len(tries), 600 / REFUSAL - 3)

    def test_nobody_for_good(self) -> None:
        """So it is, if later, with one of which it looks as if nobody were there to take it."""
        tries = self.refused_for_good(unavailable())
        after = [at for at in tries if at > LONGEST_PROBE * (IN_PLACE + 1)]
        self.assertLess(len(after), 300 / REFUSAL + 3)

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
        began, ended = map(formatEvent, events)
        self.assertIn("waiting=50", began)
        self.assertIn("waiting=49", ended)

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


class WaitingTests(OutboxCase):
    """More wait than there is room for in memory."""

    SIZE = 64 << 10
    FIT = IN_MEMORY // SIZE

    def post(self, *numbers: int) -> None:
        for number in numbers:
            report = b"report %d " % number
            report += bytes(self.SIZE - len(report))
            self.disk.reports[f"key {number}"] = report
            self.outbox.post(f"key {number}", report)

    def away(self, *numbers: int) -> None:
        """Cuebot goes away, and then frames end."""
        self.post(*numbers[:1])
        self.calls.refuse()
        self.post(*numbers[1:])

    def take_all(self) -> list[int]:
        """Cuebot is back; return the order in which it gets them."""
        before = len(self.calls.sent)
        while self.outbox.waiting:
            self.clock.advance(LONGEST_PROBE)
            while self.calls.open:
                self.calls.take()
        return self.sent()[before:]

    def in_memory(self) -> int:
        return sum(len(c.report or b"") for c in self.outbox._queue._all())

    def test_bounded(self) -> None:
        """What there is no room for is on disk only, and comes back in order."""
        self.away(*range(500))
        self.assertLessEqual(self.in_memory(), IN_MEMORY)
        self.assertEqual(self.take_all(), list(range(500)))
        self.assertEqual(self.calls.sent[-1], self.disk.reports["key 499"])
        self.assertEqual(self.outbox._shelf._bytes, 0)

    def test_no_reading(self) -> None:
        """What there is room for is never read back."""
        self.away(*range(self.FIT))
        self.take_all()
        self.assertEqual(self.disk.reads, [])

    def test_retries(self) -> None:
        """However often they are tried in vain, memory is bounded."""
        self.away(*range(100))
        for _ in range(1000):
            self.clock.advance(LONGEST_PROBE)
            while self.calls.open:
                self.calls.refuse(error=CuebotError("INTERNAL", "no", "cuebot:8443"))
            self.assertLessEqual(self.in_memory(), IN_MEMORY)
        self.assertEqual({len(keys) for keys in self.disk.reads}, {1})
        self.assertEqual(sorted(self.take_all()), list(range(100)))

    def test_nowhere_else(self) -> None:
        """A report that is not on disk stays in memory."""
        self.away(*range(self.FIT))
        for number in range(100):
            self.outbox.post(f"lost {number}", b"report %d" % (1000 + number), kept=False)
        self.assertEqual(self.take_all(), [*range(self.FIT), *range(1000, 1100)])
        self.assertEqual(self.disk.reads, [])

    def test_posted_by_key(self) -> None:
        """So is one that an earlier agent left read from disk."""
        for number in range(200):
            self.disk.reports[f"key {number}"] = b"report %d" % number
            self.outbox.post(f"key {number}", None)
        self.assertEqual(self.take_all()[-1], 199)
        self.assertEqual(self.sent(), list(range(200)))
        self.assertLessEqual(len(self.disk.reads), WINDOW + 200 // READ_AHEAD)

    def test_order_while_reading(self) -> None:
        """While older ones are read, younger ones wait."""
        self.disk.held = []
        self.disk.reports["key 0"] = b"report 0"
        self.outbox.post("key 0", None)
        self.post(1)
        self.assertEqual(self.calls.sent, [])
        self.disk.held.pop()()
        self.assertEqual(self.sent(), [0, 1])

    def test_few_at_a_time(self) -> None:
        """A disk that gives fewer than were asked for is asked again for the rest."""
        give = self.disk

        def some(keys: Sequence[str]) -> Deferred[Sequence[bytes | Exception]]:
            return give(keys[:3])

        self.disk = some  # type: ignore[assignment]
        self.outbox = self.make_outbox(self.calls, self.settled.append)
        for number in range(10):
            give.reports[f"key {number}"] = b"report %d" % number
            self.outbox.post(f"key {number}", None)
        self.assertEqual(self.take_all(), [])
        self.assertEqual(self.sent(), list(range(10)))

    def test_unreadable(self) -> None:
        """What can't be read is said once, holds up nobody, and is sent once it can."""
        events: list[LogEvent] = []
        globalLogPublisher.addObserver(events.append)
        self.addCleanup(globalLogPublisher.removeObserver, events.append)
        self.disk.broken = {"key 1", "key 3"}
        for number in range(5):
            self.disk.reports[f"key {number}"] = b"report %d" % number
            self.outbox.post(f"key {number}", None)
        for _ in range(10):
            while self.calls.open:
                self.calls.take()
            self.clock.advance(REFUSAL)
        self.assertEqual(self.sent(), [0, 2, 4])
        self.assertEqual(self.outbox.late, 2)
        self.disk.broken = set()
        self.assertEqual(self.take_all() or self.sent()[3:], [1, 3])
        trouble, over = map(formatEvent, events)
        self.assertIn("key=key 1 reason=[Errno 5]", trouble)
        self.assertIn("read back again", over)

    def test_disk_is_gone(self) -> None:
        """So it is where all of them can't be read, and a stop leaves no timer."""

        def gone(keys: Sequence[str]) -> Deferred[Any]:
            return fail(OSError(5, "EIO"))

        self.disk = gone  # type: ignore[assignment]
        self.outbox = self.make_outbox(self.calls, self.settled.append)
        for number in range(100):
            self.outbox.post(f"key {number}", None)
        self.clock.advance(REFUSAL)
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.assertEqual(self.outbox.waiting, 100)
        self.outbox.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_stopped_while_reading(self) -> None:
        """What is read after a stop is not sent."""
        self.disk.held = []
        self.disk.reports["key 0"] = b"report 0"
        self.outbox.post("key 0", None)
        self.disk.broken.add("key 0")
        self.outbox.stop()
        self.disk.held.pop()()
        self.assertEqual((self.calls.sent, self.clock.getDelayedCalls()), ([], []))

    def test_drain_reads_again(self) -> None:
        """A drain tries at once to read what could not be read."""
        self.disk.broken = {"key 0"}
        self.disk.reports["key 0"] = b"report 0"
        self.outbox.post("key 0", None)
        self.disk.broken = set()
        self.outbox.drain(10)
        self.clock.advance(0)
        self.assertEqual(self.sent(), [0])

    def test_late(self) -> None:
        """Those that are on their way to a Cuebot that answers are not late, all others are."""
        self.post(*range(WINDOW))
        self.assertEqual(self.outbox.late, 0)
        self.post(WINDOW)
        self.assertEqual(self.outbox.late, 1)
        self.calls.refuse()
        self.assertEqual(self.outbox.late, WINDOW + 1)
        self.take_all()
        self.assertEqual(self.outbox.late, 0)


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
