"""What frames that are over still hold."""

from __future__ import annotations

import os

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from rqd.frame.withholding import LOOK, Withholding
from rqd.system.reservations import Ledger
from rqd.system.topology import Core, Topology
from tests.frame.fakes import FakeMembers


class WithholdingTests(SynchronousTestCase):
    """L{Withholding}, on a host of four cores."""

    def setUp(self) -> None:
        self.clock = Clock()
        cores = tuple(Core(0, number, (number,)) for number in range(4))
        self.ledger = Ledger(Topology(cores), total=400)
        self.told: list[str] = []
        self.withholding = Withholding(
            self.ledger,
            reactor=self.clock,
            changed=lambda: self.told.append(self.withholding.reason),
        )

    def hold(self, key: str, *pids: int, points: int = 100) -> FakeMembers:
        members = FakeMembers(*pids)
        self.ledger.reserve(key, points, pin=True)
        self.withholding.hold(key, f"job.{key}", members)
        return members

    def test_nothing(self) -> None:
        """Where nothing is withheld there is nothing to say, to wait for or to look at."""
        self.assertEqual(self.withholding.reason, "")
        self.assertFalse(self.withholding.holds("a"))
        self.successResultOf(self.withholding.gone("a"))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_held(self) -> None:
        """Points and pins stay with it while anything lives, and each process is named."""
        self.hold("a", os.getpid(), points=200)
        self.clock.pump([LOOK] * 100)
        self.assertTrue(self.withholding.holds("a"))
        self.assertEqual(self.ledger.counts().booked, 200)
        self.assertEqual(self.ledger.reserve("b", 200, pin=True).threads, (2, 3))
        self.assertRegex(
            self.withholding.reason,
            rf"^200 core points of job\.a, can't be killed: {os.getpid()} \(.+, [RS]\)$",
        )

    def test_gone(self) -> None:
        """When it is gone all comes back, whoever waits is told, and so is Cuebot."""
        members = self.hold("a", 1)
        gone = self.withholding.gone("a")
        self.assertNoResult(gone)
        members.alive = []
        self.clock.advance(LOOK)
        self.successResultOf(gone)
        self.assertEqual(self.ledger.counts().booked, 0)
        self.assertEqual(len(self.told), 2)
        self.assertEqual((self.told[-1], self.clock.getDelayedCalls()), ("", []))

    def test_some(self) -> None:
        """Who is gone comes back by itself, and is looked at about as often however many are."""
        held = [self.hold(key, 1) for key in "abcd"]
        held[2].alive = []
        self.clock.pump([LOOK / 4] * 8)
        self.assertEqual([self.withholding.holds(key) for key in "abcd"], [True, True, False, True])
        self.assertEqual(self.ledger.counts().booked, 300)
        self.assertEqual(self.withholding.reason.count(";"), 2)

    def test_many(self) -> None:
        """Words are few, whatever hangs."""
        for number in range(100):
            key = str(number)
            self.withholding.hold(key, "n" * 100, FakeMembers(*range(1 << 23, (1 << 23) + 1000)))
        self.assertLessEqual(len(self.withholding.reason), 2000)
        self.assertIn(" and 995 more", self.withholding.reason)
