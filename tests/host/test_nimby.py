"""NIMBY: what activity, and the want of it, lead to."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from rqd.host.nimby import LOOK_AGAIN, Nimby, NimbyTerms
from rqd.host.record import HostRecord, NimbyLock
from rqd.refusals import WrongState
from rqd.system.nimby import Activity
from tests.host.fakes import MemoryDetector, Stood

IDLE, RETRY = 900.0, 300.0


class NimbyCase(SynchronousTestCase):
    configured = False

    def setUp(self) -> None:
        self.clock = Clock()
        self.detector = MemoryDetector()
        self.stood = Stood(nimby_configured=self.configured)
        self.ended: list[str] = []
        self.room = True
        self.nimby = Nimby(
            self.detector,
            NimbyTerms(idle_threshold=IDLE, retry_interval=RETRY),
            self.stood.standing,
            reactor=self.clock,
            end_frames=self.ended.append,
            has_room=lambda: self.room,
        )

    def turn_on(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self.nimby.turn_on())

    @property
    def lock(self) -> NimbyLock:
        return self.stood.standing.nimby_lock

    @property
    def locked(self) -> bool:
        return self.stood.standing.condition.nimby_locked


class ActivityTests(NimbyCase):
    """NIMBY is on."""

    def setUp(self) -> None:
        super().setUp()
        self.successResultOf(self.turn_on())

    def test_active(self) -> None:
        """The first sign locks the host and ends frames, once, in this very turn."""
        self.detector.say(Activity.ACTIVE)
        self.detector.say(Activity.ACTIVE)
        self.assertTrue(self.locked)
        self.assertEqual(len(self.ended), 1)

    def test_locked_before_frames_end(self) -> None:
        """Reports of frames that end for the user tell of a locked host."""
        self.ended = []
        seen: list[bool] = []
        self.nimby._end_frames = lambda reason: seen.append(self.locked)
        self.detector.say(Activity.ACTIVE)
        self.assertEqual(seen, [True])

    def test_idle(self) -> None:
        """After the threshold without any sign the host is free again."""
        self.detector.say(Activity.ACTIVE)
        self.clock.advance(10 * IDLE)
        self.assertTrue(self.locked)
        self.detector.say(Activity.IDLE)
        self.clock.advance(IDLE - 1)
        self.assertTrue(self.locked)
        self.clock.advance(1)
        self.assertFalse(self.locked)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_idle_again(self) -> None:
        """Each sign lets the threshold begin anew; being told twice of idleness doesn't."""
        for _ in range(5):
            self.detector.say(Activity.ACTIVE)
            self.detector.say(Activity.IDLE)
            self.clock.advance(IDLE - 1)
        self.assertTrue(self.locked)
        self.detector.say(Activity.IDLE)
        self.clock.advance(1)
        self.assertFalse(self.locked)
        self.assertEqual(len(self.ended), 1)

    def test_no_room(self) -> None:
        """Unless memory and load allow, an idle host stays locked; they are looked at again."""
        self.room = False
        self.detector.say(Activity.ACTIVE)
        self.detector.say(Activity.IDLE)
        self.clock.advance(IDLE)
        self.clock.advance(LOOK_AGAIN)
        self.assertTrue(self.locked)
        self.room = True
        self.clock.advance(LOOK_AGAIN)
        self.assertFalse(self.locked)

    def test_back_while_no_room(self) -> None:
        """A user who comes back meanwhile has the host, whatever room there is."""
        self.room = False
        self.detector.say(Activity.ACTIVE)
        self.detector.say(Activity.IDLE)
        self.clock.advance(IDLE)
        self.detector.say(Activity.ACTIVE)
        self.room = True
        self.clock.advance(10 * LOOK_AGAIN)
        self.assertTrue(self.locked)

    def test_off(self) -> None:
        """Off means unlocked, and deaf."""
        self.detector.say(Activity.ACTIVE)
        self.nimby.turn_off()
        self.assertFalse(self.locked or self.stood.standing.nimby_on or self.detector.running)
        self.assertFalse(self.nimby.active)
        self.detector.say(Activity.IDLE)
        self.detector.say(Activity.ACTIVE)
        self.assertFalse(self.locked)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_off_while_idle(self) -> None:
        """No timer of before is left when it is switched off and on."""
        self.detector.say(Activity.ACTIVE)
        self.detector.say(Activity.IDLE)
        self.nimby.turn_off()
        self.detector.now = Activity.ACTIVE
        self.successResultOf(self.turn_on())
        self.clock.advance(2 * IDLE)
        self.assertTrue(self.locked)

    def test_on_twice(self) -> None:
        """To switch on what is on changes nothing."""
        self.detector.say(Activity.ACTIVE)
        self.successResultOf(self.turn_on())
        self.assertTrue(self.locked)
        self.assertEqual(self.detector.starts, 1)

    def test_active_at_once(self) -> None:
        """A user who is there when it is switched on is noticed."""
        self.nimby.turn_off()
        self.detector.now = Activity.ACTIVE
        self.successResultOf(self.turn_on())
        self.assertTrue(self.locked and self.nimby.active)

    def test_lost(self) -> None:
        """A detector that breaks is begun again in a while; what was locked stays so."""
        self.detector.say(Activity.ACTIVE)
        self.detector.say(Activity.IDLE)
        self.detector.lose("the display is gone")
        self.clock.advance(RETRY - 1)
        self.assertEqual(self.detector.starts, 1)
        self.clock.advance(1)
        self.assertEqual(self.detector.starts, 2)
        self.clock.advance(IDLE - 1)
        self.assertTrue(self.locked)
        self.clock.advance(1)
        self.assertFalse(self.locked)

    def test_stop(self) -> None:
        """The agent's end changes nothing that is kept."""
        self.detector.say(Activity.ACTIVE)
        self.detector.say(Activity.IDLE)
        self.nimby.stop()
        self.assertTrue(self.locked and self.stood.standing.nimby_on)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertFalse(self.detector.running)


class TroubleTests(NimbyCase):
    """Detectors that can't."""

    def test_refused(self) -> None:
        """NIMBY that would have no effect isn't switched on."""
        self.detector.trouble = "there is no display"
        problem = self.failureResultOf(self.turn_on(), WrongState).value
        self.assertIn("there is no display", problem.detail)
        self.assertFalse(self.stood.standing.nimby_on)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_off_meanwhile(self) -> None:
        """Who switches it off while it is being switched on has the last word."""
        self.detector.hold = True
        on = self.turn_on()
        self.nimby.turn_off()
        self.detector.release()
        self.failureResultOf(on, WrongState)
        self.assertFalse(self.stood.standing.nimby_on or self.detector.running)

    def test_two_at_once(self) -> None:
        """Two who switch it on at once start one detection."""
        self.detector.hold = True
        both = [self.turn_on(), self.turn_on()]
        self.detector.release()
        for on in both:
            self.successResultOf(on)
        self.assertEqual(self.detector.starts, 1)


class BeginTests(NimbyCase):
    """The start of an agent where NIMBY is configured."""

    configured = True

    def begin(self, kept: HostRecord | None = None, *, by_default: bool = False) -> None:
        self.stood.standing.restore(kept, lock_by_default=by_default)
        self.nimby.begin()

    def test_begin(self) -> None:
        """Detection begins by itself."""
        self.detector.now = Activity.ACTIVE
        self.begin()
        self.assertTrue(self.locked)

    def test_retries(self) -> None:
        """Where it can't, it is tried again at the interval, and NIMBY counts as on."""
        self.detector.trouble = "there is no display"
        self.begin()
        for attempts in range(1, 4):
            self.assertEqual(self.detector.starts, attempts)
            self.clock.advance(RETRY)
        self.assertTrue(self.stood.standing.nimby_on)
        self.detector.trouble = ""
        self.clock.advance(RETRY)
        self.assertTrue(self.detector.running)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_switched_on_meanwhile(self) -> None:
        """Somebody's own attempt doesn't wait for the interval, and ends the waiting."""
        self.detector.trouble = "there is no display"
        self.begin()
        self.failureResultOf(self.turn_on(), WrongState)
        self.detector.trouble = ""
        self.successResultOf(self.turn_on())
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_off_while_retrying(self) -> None:
        """Nothing is tried any more once NIMBY is off."""
        self.detector.trouble = "there is no display"
        self.begin()
        self.nimby.turn_off()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_locked_by_default(self) -> None:
        """A host that starts locked stays so until somebody has come and gone."""
        self.begin(by_default=True)
        self.assertIs(self.lock, NimbyLock.BY_DEFAULT)
        self.clock.advance(10 * IDLE)
        self.detector.say(Activity.IDLE)
        self.clock.advance(10 * IDLE)
        self.assertTrue(self.locked)
        self.detector.say(Activity.ACTIVE)
        self.assertIs(self.lock, NimbyLock.ACTIVITY)
        self.detector.say(Activity.IDLE)
        self.clock.advance(IDLE)
        self.assertFalse(self.locked)

    def test_locked_before(self) -> None:
        """A lock of the agent before ends after a threshold of this one's own."""
        kept = HostRecord(
            "this", nimby_on=True, nimby_configured=True, nimby_lock=NimbyLock.ACTIVITY
        )
        self.begin(kept)
        self.clock.advance(IDLE - 1)
        self.assertTrue(self.locked)
        self.clock.advance(1)
        self.assertFalse(self.locked)

    def test_off(self) -> None:
        """Where it was switched off nothing begins."""
        self.begin(HostRecord("this", nimby_on=False, nimby_configured=True))
        self.assertEqual(self.detector.starts, 0)
