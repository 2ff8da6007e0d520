"""Ending a frame: asked first, made to at last, and proved to be dead."""

from __future__ import annotations

import signal

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import LogLevel, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from rqd.frame.ladder import Grace, Ladder
from rqd.frame.members import IMembers
from tests.frame.fakes import FakeMembers

GRACE = Grace(timeout=30.0, interval=1.0, force=True)


class LadderTests(SynchronousTestCase):
    """L{Ladder}, with processes that do as they are told."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.members = FakeMembers(11, 12)
        self.running = True
        self.said: list[str] = []
        globalLogPublisher.addObserver(self.hear)
        self.addCleanup(globalLogPublisher.removeObserver, self.hear)

    def hear(self, event: dict[str, object]) -> None:
        self.said.append(str(event.get("log_format")))
        self.worst = event.get("log_level")

    def ladder(self, grace: Grace = GRACE) -> Ladder:
        return Ladder(
            self.members, grace, running=lambda: self.running, frame_id="f", reactor=self.clock
        )

    def climb(self, grace: Grace = GRACE) -> Deferred[bool]:
        return Deferred.fromCoroutine(self.ladder(grace).climb())

    def sweep(self) -> Deferred[bool]:
        return Deferred.fromCoroutine(self.ladder().sweep())

    def die(self) -> None:
        """All of the frame, its supervisor included, has ended."""
        self.members.alive = []
        self.running = False

    def wait(self, seconds: float) -> None:
        """Time goes by in steps as short as the shortest pause."""
        self.clock.pump([0.05] * round(seconds / 0.05))

    def test_fake(self) -> None:
        """The stand-in provides what the real ones do."""
        verifyObject(IMembers, self.members)

    def test_asked_first(self) -> None:
        """Every process is asked to end, and woken: what is stopped can't hear."""
        self.climb()
        self.assertEqual(self.members.heard, [(signal.SIGTERM, 11, 12)])
        self.assertEqual((self.members.wakes, self.members.kills), (1, 0))

    def test_ends_within_grace(self) -> None:
        """A frame that ends in time is not killed, and nothing of it is waited for longer."""
        climbing = self.climb()
        self.wait(3)
        self.assertNoResult(climbing)
        self.die()
        self.wait(1)
        self.successResultOf(climbing)
        self.assertEqual(self.members.kills, 0)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_asked_once(self) -> None:
        """Who was asked is not asked again: a second TERM would cut a clean-up short."""
        self.climb()
        self.wait(20)
        self.assertEqual(len(self.members.heard), 1)

    def test_killed_after_grace(self) -> None:
        """A frame that ignores that is killed when its time is up, not before."""
        climbing = self.climb()
        self.wait(29.9)
        self.assertEqual(self.members.kills, 0)
        self.wait(0.12)
        self.assertEqual(self.members.kills, 1)
        self.running = False
        self.wait(0.1)
        self.assertTrue(self.successResultOf(climbing))
        self.assertEqual(self.members.kills, 1)

    def test_shortened(self) -> None:
        """A time of grace is only ever shortened, and its end is force; its limit stays."""
        gentle = Grace(timeout=30.0, interval=1.0, force=False, limit=5.0)
        self.assertEqual(gentle.shortened(3.0), Grace(3.0, 1.0, force=True, limit=5.0))
        self.assertEqual(GRACE.shortened(60.0), GRACE)

    def test_grace_shorter_than_interval(self) -> None:
        """The time of grace is kept, also where it is no multiple of the interval."""
        self.climb(Grace(timeout=1.5, interval=60.0, force=True))
        self.wait(1.4)
        self.assertEqual(self.members.kills, 0)
        self.wait(0.2)
        self.assertGreaterEqual(self.members.kills, 1)

    def test_no_force(self) -> None:
        """Where force is off, a deaf frame is left alone after its time."""
        climbing = self.climb(Grace(timeout=2.0, interval=1.0, force=False))
        self.wait(2.1)
        self.successResultOf(climbing)
        self.assertEqual((self.members.kills, self.members.alive), (0, [11, 12]))

    def test_kill_until_gone(self) -> None:
        """KILL is repeated until nothing is found: a frame may fork faster than it dies."""
        self.members.deaf_to_kill = 3
        self.running = False
        sweeping = self.sweep()
        self.wait(0.15)
        self.assertNoResult(sweeping)
        self.wait(0.1)
        self.assertTrue(self.successResultOf(sweeping))
        self.assertEqual(self.members.kills, 4)
        self.assertIn("frame is dead", self.said[-1])

    def test_unkillable(self) -> None:
        """What no KILL ends is said, with its pids, and given up on in bounded time."""
        self.members.deaf_to_kill = 1 << 30
        sweeping = self.sweep()
        self.wait(9.9)
        self.assertNoResult(sweeping)
        self.wait(0.2)
        self.assertFalse(self.successResultOf(sweeping))
        self.assertIn("can't be killed frame_id={frame_id} pids={pids}", self.said[-1])
        self.assertEqual(self.worst, LogLevel.error)

    def test_never_ends(self) -> None:
        """A frame that runs on whatever was done is given up on, after a limit of its own."""
        climbing = self.climb(Grace(timeout=2.0, interval=1.0, force=True, limit=3.0))
        self.wait(4.9)
        self.assertNoResult(climbing)
        self.wait(0.3)
        self.assertFalse(self.successResultOf(climbing))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_nothing_left(self) -> None:
        """Where nothing is left nothing is killed."""
        self.die()
        self.successResultOf(self.sweep())
        self.assertEqual(self.members.kills, 0)

    def test_not_begun(self) -> None:
        """A frame that has no process yet, for its chain only just begins, is asked once it has."""
        self.members.alive = []
        climbing = self.climb()
        self.wait(0.2)
        self.assertNoResult(climbing)
        self.members.alive = [21]
        self.wait(0.1)
        self.assertEqual(self.members.heard, [(signal.SIGTERM,), (signal.SIGTERM, 21)])
        self.die()
        self.wait(1)
        self.successResultOf(climbing)

    def test_next_frame(self) -> None:
        """Once a frame is over, what runs in its place is left alone: it may be another frame."""
        for alive in ([], [11, 12]):
            self.members = FakeMembers(*alive)
            self.running = True
            climbing = self.climb()
            self.running = False
            self.members.alive = [21]
            self.wait(40)
            self.successResultOf(climbing)
            self.assertEqual((len(self.members.heard), self.members.kills), (1, 0))

    def test_next_frame_after_kill(self) -> None:
        """Also if it took a KILL."""
        climbing = self.climb()
        self.wait(30)
        self.running = False
        kills, self.members.alive = self.members.kills, [21]
        self.wait(1)
        self.successResultOf(climbing)
        self.assertEqual(self.members.kills, kills)
