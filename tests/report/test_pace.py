"""Full speed while Cuebot answers, probes while it doesn't."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from rqd.report.pace import PATIENCE, WINDOW, Pace


class PaceTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.went: list[float] = []
        self.pace = Pace(
            reactor=self.clock,
            backoff=lambda probes: 0.1 * probes,
            go=lambda: self.went.append(self.clock.seconds()),
        )

    def test_window(self) -> None:
        """While all is well a window of reports may be on their way."""
        for _ in range(WINDOW):
            self.assertTrue(self.pace.free)
            self.pace.started()
        self.assertFalse(self.pace.free)
        self.pace.answered()
        self.assertTrue(self.pace.free)

    def test_failure(self) -> None:
        """After a failure nothing may start until the backoff is over."""
        self.pace.started()
        self.pace.failed()
        self.assertFalse(self.pace.free)
        self.clock.advance(0.1)
        self.assertTrue(self.pace.free)
        self.assertEqual(self.went, [0.1])

    def test_many_failures_at_once(self) -> None:
        """A window of reports that fail together is one reason to wait, not many."""
        for _ in range(WINDOW):
            self.pace.started()
        for _ in range(WINDOW):
            self.pace.failed()
        self.clock.advance(0.1)
        self.assertEqual(self.went, [0.1])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_probes(self) -> None:
        """In a spell one report at a time may start, after ever longer waits."""
        self.pace.started()
        self.pace.failed()
        for probes in range(1, 5):
            self.clock.advance(0.1 * probes)
            self.assertTrue(self.pace.free)
            self.pace.started()
            self.assertFalse(self.pace.free)
            self.pace.failed()
            self.assertFalse(self.pace.free)

    def test_probe_hangs(self) -> None:
        """A probe that hangs doesn't keep the others from being tried."""
        self.pace.started()
        self.pace.failed()
        self.clock.advance(0.1)
        self.pace.started()
        self.clock.advance(PATIENCE)
        self.assertTrue(self.pace.free)

    def test_answer(self) -> None:
        """The first answer ends a spell, and the next one begins with short waits."""
        for _ in range(5):
            self.pace.started()
            self.pace.failed()
            self.clock.advance(10)
        self.pace.started()
        self.pace.answered()
        self.assertTrue(self.pace.free)
        self.assertFalse(self.pace.in_spell)
        self.pace.started()
        self.pace.failed()
        self.clock.advance(0.1)
        self.assertTrue(self.pace.free)

    def test_hurry(self) -> None:
        """Whoever is in a hurry may try at once, and soon again."""
        for _ in range(50):
            self.pace.started()
            self.pace.failed()
            self.clock.advance(6)
        self.pace.started()
        self.pace.failed()
        self.went.clear()
        self.pace.hurry()
        self.assertEqual(len(self.went), 1)
        self.pace.started()
        self.pace.failed()
        self.clock.advance(0.2)
        self.assertTrue(self.pace.free)
