"""Noticing output on the reactor, under a clock."""

from __future__ import annotations

import os

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from rqd.logging.watching import PACE_FIRST, PACE_LAST, PAUSE, POLL, OutputSize, SpoolWatch
from tests.logging.seams import StandInWakeups

NOW = 1700000000.0


class SpoolWatchTests(SynchronousTestCase):
    """``SpoolWatch``; ``events`` holds what it told."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.wakeups = StandInWakeups()
        self.events: list[str] = []
        self.now = NOW
        self.hangs = False
        self.path = self.mktemp()
        self.size = OutputSize(10, lambda: self.events.append("too big"))
        self.watch = SpoolWatch(
            self.path,
            self.size,
            reactor=self.clock,
            wakeups=self.wakeups,
            wall_clock=lambda: self.now,
            changed=lambda: self.events.append("changed"),
            restarted=lambda: self.events.append("restarted"),
            hangs=lambda: self.hangs,
        )
        self.write(b"")

    def write(self, text: bytes, written: float = NOW) -> None:
        with open(self.path, "ab") as file:
            file.write(text)
        os.utime(self.path, (written, written))

    def test_quiet(self) -> None:
        """A quiet frame has a watch and no timer."""
        self.watch.start()
        self.assertEqual(len(self.wakeups.armed), 1)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.watch.last_output, NOW)

    def test_wake_up(self) -> None:
        """Output is noticed with the time of its writing."""
        self.watch.start()
        self.write(b"one\n", NOW - 5)
        self.wakeups.fire()
        self.assertEqual((self.watch.seen, self.size.value, self.watch.streak), (4, 4, 1))
        self.assertEqual(self.watch.last_output, NOW - 5)
        self.assertEqual(self.watch.marks.after(0, 4), [(4, int(NOW - 5))])

    def test_hangs(self) -> None:
        """While the disk of the spool hangs it is not touched; what was written is seen then."""
        self.watch.start()
        self.hangs = True
        self.write(b"one\n")
        self.wakeups.fire()
        self.clock.pump([POLL] * 5)
        self.assertEqual(self.watch.seen, 0)
        self.hangs = False
        self.clock.advance(POLL)
        self.assertEqual(self.watch.seen, 4)

    def test_output_before_the_start(self) -> None:
        """What was written while nobody looked is noticed by the start."""
        self.write(b"one\n")
        self.watch.start()
        self.assertEqual(self.watch.seen, 4)

    def test_output_while_arming(self) -> None:
        """What comes between the look and the watch is not overlooked."""
        arm = self.wakeups.arm

        def arm_late(path, callback):
            self.write(b"late\n")
            return arm(path, callback)

        self.wakeups.arm = arm_late
        self.watch.start()
        self.assertEqual((self.watch.seen, self.watch.streak), (5, 1))
        self.assertEqual(self.wakeups.armed, {})

    def test_pace(self) -> None:
        """While output comes there are looks and no watch, less and less often."""
        self.watch.start()
        self.write(b"x")
        self.wakeups.fire()
        pauses = []
        for _ in range(5):
            self.write(b"x")
            (call,) = self.clock.getDelayedCalls()
            pauses.append(call.getTime() - self.clock.seconds())
            self.clock.advance(pauses[-1])
            self.assertEqual(self.wakeups.armed, {})
        self.assertAlmostEqual(pauses[0], PACE_FIRST)
        self.assertAlmostEqual(pauses[1], 2 * PACE_FIRST)
        self.assertAlmostEqual(pauses[-1], PACE_LAST)
        self.clock.advance(PACE_LAST)
        self.assertEqual((self.watch.streak, len(self.wakeups.armed)), (0, 1))

    def test_pace_after_a_pause(self) -> None:
        """The pace begins anew only after a real pause."""
        self.test_pace()
        for pause, pace in ((0.1, PACE_LAST), (PAUSE, PACE_FIRST)):
            self.clock.advance(pause)
            self.write(b"x")
            self.wakeups.fire()
            (call,) = self.clock.getDelayedCalls()
            self.assertAlmostEqual(call.getTime() - self.clock.seconds(), pace)
            self.clock.advance(pace)

    def test_without_inotify(self) -> None:
        """Where nothing can be watched, the spool is looked at every second."""
        self.wakeups.possible = False
        self.watch.start()
        self.write(b"one\n")
        self.clock.advance(POLL)
        self.assertEqual(self.watch.seen, 4)

    def test_too_big(self) -> None:
        """The limit is told once, when it is passed, and last of all."""
        self.watch.start()
        self.write(b"x" * 10)
        self.wakeups.fire()
        self.assertNotIn("too big", self.events)
        for _ in range(2):
            self.write(b"x")
            self.clock.advance(PACE_LAST)
        self.assertEqual(self.events, ["changed", "changed", "changed", "too big", "changed"])

    def test_no_limit(self) -> None:
        """A limit of 0 is none."""
        size = OutputSize(0, lambda: self.fail("told"))
        size.value = 1 << 40
        size.check()

    def test_truncated(self) -> None:
        """A spool that shrinks begins anew; what was written before still counts."""
        self.watch.start()
        self.write(b"longer\n")
        self.wakeups.fire()
        os.truncate(self.path, 0)
        self.write(b"new\n")
        self.clock.advance(PACE_FIRST)
        self.assertIn("restarted", self.events)
        self.assertEqual((self.watch.seen, self.size.value), (4, 11))
        self.assertEqual(len(self.watch.marks), 1)

    def test_touched(self) -> None:
        """A frame can't move its last output into the future."""
        self.watch.start()
        self.write(b"x", NOW + 1000000)
        self.wakeups.fire()
        self.assertEqual(self.watch.last_output, NOW)

    def test_removed(self) -> None:
        """A spool that is gone is no news."""
        self.watch.start()
        os.unlink(self.path)
        self.assertFalse(self.watch.look())

    def test_stop(self) -> None:
        """A stopped watch leaves no timer and no watch, whatever it was about to do."""
        self.watch.start()
        self.watch.stop()
        self.assertEqual(self.wakeups.armed, {})
        self.watch.start()
        self.write(b"x")
        self.wakeups.fire()
        self.watch.stop()
        self.assertEqual((self.clock.getDelayedCalls(), self.watch.streak), ([], 0))
