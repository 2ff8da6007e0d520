"""Locks, NIMBY and hardware state."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from rqd.host.record import HostRecord, NimbyLock
from rqd.refusals import InvalidRequest
from rqd.system.condition import REBOOTING, HostCondition, IdleAction
from tests.host.fakes import TOTAL, Stood


class LockTests(SynchronousTestCase):
    """Locks by hand."""

    def setUp(self) -> None:
        self.stood = Stood()
        self.standing = self.stood.standing

    def test_points(self) -> None:
        """Points add up, at most to all there are; each change is told with what to keep of it."""
        self.standing.lock(150)
        self.assertEqual(self.stood.locked, 150)
        self.standing.unlock(50)
        self.assertEqual(self.stood.locked, 100)
        self.standing.lock(10_000)
        self.assertEqual(self.stood.locked, TOTAL)
        self.standing.unlock(10_000)
        self.assertEqual(self.stood.locked, 0)
        kept = [(record.locked_points, record.all_locked) for record in self.stood.told]
        self.assertEqual(kept, [(150, False), (100, False), (TOTAL, True), (0, False)])

    def test_all(self) -> None:
        """All of them too."""
        self.standing.lock_all()
        self.assertEqual(self.stood.locked, TOTAL)
        self.standing.unlock_all()
        self.assertEqual(self.stood.locked, 0)

    def test_negative(self) -> None:
        """A negative number is refused, and nobody has to hear of it."""
        self.standing.lock(100)
        for change in (self.standing.lock, self.standing.unlock):
            self.assertRaises(InvalidRequest, change, -1)
        self.assertEqual((self.stood.locked, len(self.stood.told)), (100, 1))

    def test_condition(self) -> None:
        """Locked cores are no condition of the host."""
        self.standing.lock_all()
        self.assertEqual(self.standing.condition, HostCondition())


class WaitingTests(SynchronousTestCase):
    """Actions that wait until no frame runs."""

    def setUp(self) -> None:
        self.stood = Stood()
        self.standing = self.stood.standing
        self.standing.lock(100)

    def test_wait(self) -> None:
        """All points are locked, and what is kept are those from before."""
        for action in IdleAction:
            self.standing.wait_for(action)
            self.assertEqual(self.stood.locked, TOTAL)
            kept = self.stood.told[-1]
            self.assertEqual((kept.locked_points, kept.waiting_for), (100, action))
            self.assertIs(self.standing.condition.waiting_for, action)

    def test_hardware_state(self) -> None:
        """The hardware state has a word for a reboot only."""
        self.standing.wait_for(IdleAction.REBOOT)
        self.assertEqual(self.standing.condition.state, "REBOOT_WHEN_IDLE")
        self.standing.wait_for(IdleAction.SHUTDOWN)
        self.assertEqual(self.standing.condition.state, "UP")

    def test_unlock(self) -> None:
        """To unlock some calls it off, and unlocks so many of all that are locked."""
        self.standing.wait_for(IdleAction.REBOOT)
        self.standing.unlock(150)
        self.assertEqual(self.stood.locked, TOTAL - 150)
        self.assertEqual(self.standing.condition, HostCondition())

    def test_unlock_all(self) -> None:
        """To unlock all calls it off, too."""
        self.standing.wait_for(IdleAction.REBOOT)
        self.standing.unlock_all()
        self.assertEqual(self.stood.locked, 0)
        self.assertEqual(self.standing.condition, HostCondition())

    def test_lock(self) -> None:
        """What is locked meanwhile counts afterwards."""
        self.standing.wait_for(IdleAction.REBOOT)
        self.standing.lock(50)
        self.assertEqual(self.stood.locked, TOTAL)
        self.standing.leave(REBOOTING, "")
        self.standing.come_back()
        self.assertEqual(self.stood.locked, 150)

    def test_leave(self) -> None:
        """An action that begins isn't kept any more, and nothing is unlocked by that."""
        self.standing.wait_for(IdleAction.REBOOT)
        self.standing.leave(REBOOTING, "")
        self.assertEqual(self.standing.condition, HostCondition(state=REBOOTING))
        self.assertEqual(self.stood.locked, TOTAL)
        self.assertIsNone(self.stood.told[-1].waiting_for)
        self.assertEqual(self.stood.told[-1].locked_points, 100)

    def test_come_back(self) -> None:
        """If nothing comes of it all is as it was before."""
        self.standing.wait_for(IdleAction.REBOOT)
        self.standing.leave(REBOOTING, "")
        self.standing.come_back()
        self.assertEqual(self.standing.condition, HostCondition())
        self.assertEqual(self.stood.locked, 100)


class RestoreTests(SynchronousTestCase):
    """The start, with what an earlier agent left."""

    def restored(
        self, kept: HostRecord | None, *, configured: bool = False, lock_by_default: bool = False
    ) -> Stood:
        stood = Stood(nimby_configured=configured)
        stood.standing.restore(kept, lock_by_default=lock_by_default)
        return stood

    def test_nothing(self) -> None:
        """Without any, all is as configured."""
        self.assertEqual(self.restored(None).standing.condition, HostCondition())
        stood = self.restored(None, configured=True)
        self.assertEqual(stood.standing.condition, HostCondition(nimby_enabled=True))
        self.assertEqual(stood.locked, 0)

    def test_locks(self) -> None:
        """Locks are as they were, also after a boot; no more than there are points now."""
        for boot_id in ("this", "another", ""):
            kept = HostRecord(boot_id=boot_id, locked_points=150)
            self.assertEqual(self.restored(kept).locked, 150)
        self.assertEqual(self.restored(HostRecord(locked_points=10_000)).locked, TOTAL)

    def test_all_locked(self) -> None:
        """A host that was locked as a whole is, however many points it has now."""
        self.assertEqual(self.restored(HostRecord(locked_points=5, all_locked=True)).locked, TOTAL)

    def test_waiting(self) -> None:
        """What waited for idle waits on; within the same boot only."""
        kept = HostRecord(boot_id="this", locked_points=100, waiting_for=IdleAction.REBOOT)
        stood = self.restored(kept)
        self.assertEqual(stood.locked, TOTAL)
        self.assertEqual(stood.standing.condition.state, "REBOOT_WHEN_IDLE")
        stood = self.restored(kept._replace(boot_id="another"))
        self.assertEqual(stood.locked, 100)
        self.assertEqual(stood.standing.condition, HostCondition())
        self.assertEqual(stood.told[-1].boot_id, "this")

    def test_switched(self) -> None:
        """NIMBY is as it was switched, unless the configuration was changed since."""
        off = HostRecord(boot_id="this", nimby_on=False, nimby_configured=True)
        self.assertFalse(self.restored(off, configured=True).standing.nimby_on)
        on = HostRecord(boot_id="this", nimby_on=True, nimby_configured=False)
        self.assertTrue(self.restored(on, configured=False).standing.nimby_on)
        self.assertFalse(
            self.restored(on._replace(nimby_configured=True), configured=False).standing.nimby_on
        )
        self.assertTrue(
            self.restored(off._replace(nimby_configured=False), configured=True).standing.nimby_on
        )

    def lock(self, kept: HostRecord | None, *, by_default: bool) -> NimbyLock:
        stood = self.restored(kept, configured=True, lock_by_default=by_default)
        return stood.standing.nimby_lock

    def test_nimby_lock(self) -> None:
        """A NIMBY lock is as it was; one by default only as long as that is configured."""
        for by_default, lock, found in (
            (False, NimbyLock.OPEN, NimbyLock.OPEN),
            (False, NimbyLock.ACTIVITY, NimbyLock.ACTIVITY),
            (False, NimbyLock.BY_DEFAULT, NimbyLock.OPEN),
            (True, NimbyLock.OPEN, NimbyLock.OPEN),
            (True, NimbyLock.ACTIVITY, NimbyLock.ACTIVITY),
            (True, NimbyLock.BY_DEFAULT, NimbyLock.BY_DEFAULT),
        ):
            kept = HostRecord("this", nimby_on=True, nimby_configured=True, nimby_lock=lock)
            self.assertIs(self.lock(kept, by_default=by_default), found, kept)

    def test_lock_by_default(self) -> None:
        """The first agent of a boot starts locked, where that is configured."""
        kept = HostRecord("another", nimby_on=True, nimby_configured=True)
        for earlier in (None, kept, kept._replace(nimby_lock=NimbyLock.ACTIVITY)):
            self.assertIs(self.lock(earlier, by_default=True), NimbyLock.BY_DEFAULT)
        self.assertIs(self.lock(None, by_default=False), NimbyLock.OPEN)
        self.assertIs(self.lock(kept, by_default=False), NimbyLock.OPEN)

    def test_off(self) -> None:
        """Where NIMBY is off nothing of it is locked."""
        kept = HostRecord("this", nimby_on=False, nimby_lock=NimbyLock.ACTIVITY)
        stood = self.restored(kept, lock_by_default=True)
        self.assertIs(stood.standing.nimby_lock, NimbyLock.OPEN)
