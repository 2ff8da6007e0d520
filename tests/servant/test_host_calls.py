"""What each call about the host does."""

from __future__ import annotations

import os
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from rqd.config.settings import MachineSettings, RunnerSettings, Settings
from rqd.host.keeping import PATIENCE
from rqd.host.kept import KeptStanding
from rqd.host.nimby import Nimby, NimbyTerms
from rqd.refusals import InvalidRequest, WrongState
from rqd.servant.host_calls import HostCalls
from rqd.system.condition import IdleAction
from rqd.system.nimby import Activity
from tests.frame.fakes import Workers
from tests.host.fakes import MemoryDetector, ledger

REPORT = b"what the host is"


class Asked:
    """Stands for the departures: remembers what was asked of it."""

    def __init__(self) -> None:
        self.asked: list[object] = []

    def when_idle(self, action: IdleAction) -> None:
        self.asked.append(action)

    async def reboot_now(self) -> None:
        self.asked.append("reboot")

    def shut_down_now(self) -> None:
        self.asked.append("shutdown")

    def restart_now(self) -> None:
        self.asked.append("restart")


class HostCallsTests(SynchronousTestCase):
    """``HostCalls`` of a host of four cores."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.workers = Workers()
        self.ledger = ledger()
        self.changes = 0
        self.folder = self.mktemp()
        self.standing = self.kept_standing()
        self.detector = MemoryDetector(Activity.ACTIVE)
        nimby = Nimby(
            self.detector,
            NimbyTerms(idle_threshold=900.0, retry_interval=300.0),
            self.standing,
            reactor=self.clock,
            end_frames=lambda reason: None,
            has_room=lambda: True,
        )
        self.departures: Any = Asked()
        self.calls = HostCalls(self.standing, nimby, self.departures, report=lambda: REPORT)

    def kept_standing(self) -> KeptStanding:
        os.makedirs(self.folder, exist_ok=True)
        return KeptStanding(
            Settings(machine=MachineSettings(), runner=RunnerSettings(snapshots_path=self.folder)),
            self.ledger,
            reactor=self.clock,
            workers=self.workers,
            tell=self.change,
        )

    def change(self) -> None:
        self.changes += 1

    def locked(self) -> tuple[int, int]:
        """Points locked, and how often Cuebot was to hear of a change."""
        return self.ledger.counts().locked, self.changes

    def test_report(self) -> None:
        """A status report is at hand."""
        self.assertEqual(self.calls.report(), REPORT)

    def test_lock(self) -> None:
        """Cores are locked and unlocked in points, at most all of them, and Cuebot hears of it."""
        self.successResultOf(self.calls.lock(150))
        self.assertEqual(self.locked(), (150, 1))
        self.successResultOf(self.calls.unlock(50))
        self.assertEqual(self.locked(), (100, 2))
        self.successResultOf(self.calls.lock_all())
        self.assertEqual(self.locked(), (400, 3))
        self.successResultOf(self.calls.unlock_all())
        self.assertEqual(self.locked(), (0, 4))

    def test_negative(self) -> None:
        """A negative number is refused, nothing changes, and nobody has to hear of that."""
        self.assertRaises(InvalidRequest, self.calls.lock, -1)
        self.assertRaises(InvalidRequest, self.calls.unlock, -1)
        self.assertEqual(self.locked(), (0, 0))

    def test_kept(self) -> None:
        """A lock is answered once it is on disk: the next agent finds it."""
        self.workers.hold("state")
        answer = self.calls.lock(150)
        self.assertNoResult(answer)
        self.workers.release("state")
        self.successResultOf(answer)
        self.ledger.unlock_all()
        self.kept_standing().load()
        self.assertEqual(self.ledger.counts().locked, 150)

    def test_disk_hangs(self) -> None:
        """A disk that hangs holds up no call for long, and no lock at all."""
        self.workers.hold("state")
        answers: list[Deferred[None]] = [self.calls.lock(150), self.calls.lock_all()]
        self.assertEqual(self.locked(), (400, 2))
        self.clock.advance(PATIENCE)
        for answer in answers:
            self.successResultOf(answer)

    def test_nimby(self) -> None:
        """NIMBY is switched on and off, and Cuebot hears of it."""
        self.successResultOf(self.calls.nimby_on())
        condition = self.standing.condition
        self.assertTrue(condition.nimby_enabled and condition.nimby_locked)
        self.successResultOf(self.calls.nimby_off())
        condition = self.standing.condition
        self.assertFalse(condition.nimby_enabled or condition.nimby_locked)
        self.assertGreaterEqual(self.changes, 2)

    def test_no_nimby(self) -> None:
        """Where nothing can detect anybody that is said."""
        self.detector.trouble = "there is no display"
        self.failureResultOf(self.calls.nimby_on(), WrongState)

    def test_departures(self) -> None:
        """The rest is passed on."""
        self.successResultOf(self.calls.reboot_now())
        self.calls.shut_down_now()
        self.calls.restart_now()
        for action in IdleAction:
            self.successResultOf(self.calls.when_idle(action))
        self.assertEqual(self.departures.asked, ["reboot", "shutdown", "restart", *IdleAction])
