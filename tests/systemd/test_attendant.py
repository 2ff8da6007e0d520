"""The agent as a service: its status, and what a stop does to frames."""

from __future__ import annotations

import os

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from rqd.host.running import CommandFailed, Runner
from rqd.host.systemd import Unit
from rqd.system.reservations import CoreCounts
from rqd.systemd import attendant
from rqd.systemd.attendant import Attendant, Situation, Work, status_text
from rqd.systemd.jobs import job_in, pending_job
from rqd.systemd.notify import Notifier
from tests.systemd.sockets import Listener
from tests.systemd.test_watchdog import Reactor

UNIT = Unit("openrqd.service", by_user=False)
NOW = Situation(0, CoreCounts(800, 800, 0, 0), None, 0)


class FakeRunner(Runner):
    """Says what the test wants."""

    def __init__(self) -> None:
        self.said: str | Exception = ""
        self.commands: list[tuple[str, ...]] = []

    async def run(self, command: object, patience: float) -> str:
        assert isinstance(command, tuple)
        self.commands.append(command)
        if isinstance(self.said, Exception):
            raise self.said
        return self.said


class AttendantTests(SynchronousTestCase):
    """``Attendant``, with a real socket to systemd."""

    def setUp(self) -> None:
        self.systemd = Listener()
        self.addCleanup(self.systemd.close)
        self.now = NOW
        self.reasons: list[str] = []
        self.ended: Deferred[None] = Deferred()
        self.runner = FakeRunner()
        self.reactor = Reactor()
        self.patch(os, "environ", dict(os.environ))
        self.attendant = self.make()

    def make(self, unit: Unit | None = UNIT) -> Attendant:
        self.patch(attendant, "own_unit", lambda *_: unit)
        self.patch(attendant.shutil, "which", lambda name: f"/bin/{name}")
        notifier = Notifier(self.systemd.address)
        self.addCleanup(notifier.close)
        work = Work(lambda: self.now, self.end_frames, 100.0)
        return Attendant(notifier, work, reactor=self.reactor, runner=self.runner)

    def end_frames(self, reason: str) -> Deferred[None]:
        self.reasons.append(reason)
        return self.ended

    def heard(self) -> list[str]:
        return [datagram.decode() for datagram in self.systemd.heard()]

    def test_serving(self) -> None:
        """Ready, and how things are."""
        self.attendant.serving()
        self.assertEqual(
            self.heard(),
            ["READY=1", "STATUS=0 frames; cores: 0 booked, 8 idle; no Cuebot seen yet"],
        )

    def test_status(self) -> None:
        """The status is said again only when it is another."""
        self.attendant.look()
        self.attendant.look()
        self.now = NOW._replace(frames=1)
        self.attendant.look()
        self.assertEqual(len(self.heard()), 2)

    def test_watchdog(self) -> None:
        """Where systemd watches, it gets signs of life from the first moment of service on."""
        os.environ["WATCHDOG_USEC"] = "60000000"
        os.environ.pop("WATCHDOG_PID", None)
        watched = self.make()
        self.patch(attendant.Watchdog, "start", lambda watchdog: watchdog._sign())
        self.assertEqual(self.heard(), [])
        watched.serving()
        self.assertIn("WATCHDOG=1", self.heard())

    def test_reload(self) -> None:
        """A configuration that can't be used shows in the status until one can."""
        self.attendant.reloading()
        self.attendant.reloaded("x: no")
        self.attendant.look()
        self.attendant.reloaded("")
        reloading, ready, broken, again, good = self.heard()
        self.assertRegex(reloading, r"\ARELOADING=1\nMONOTONIC_USEC=[0-9]+\Z")
        self.assertEqual((ready, again), ("READY=1", "READY=1"))
        self.assertTrue(broken.endswith("; x: no"))
        self.assertFalse(good.endswith("; x: no"))

    def test_stop(self) -> None:
        """Frames end before the agent does, and systemd is told how long that may take."""
        self.runner.said = "12 openrqd.service stop running\n"
        ending = self.attendant.before_end()
        self.assertNoResult(ending)
        self.assertEqual(len(self.reasons), 1)
        stopping, more = self.heard()
        self.assertEqual(stopping, "STOPPING=1")
        self.assertIn("EXTEND_TIMEOUT_USEC=100000000", more)
        self.ended.callback(None)
        self.assertIsNone(self.successResultOf(ending))

    def test_stop_that_fails(self) -> None:
        """An agent that can't end its frames ends all the same."""
        self.runner.said = "12 openrqd.service stop running\n"
        ending = self.attendant.before_end()
        self.ended.errback(ZeroDivisionError("a bug"))
        self.assertIsNone(self.successResultOf(ending))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_frames_go_on(self) -> None:
        """Over a restart, a signal from elsewhere, and where systemd can't be asked."""
        for said in ("12 openrqd.service restart running\n", "", CommandFailed("no")):
            self.runner.said = said
            self.assertIsNone(self.successResultOf(self.attendant.before_end()))
        unknown = self.make(unit=None)
        self.runner.said = "12 openrqd.service stop running\n"
        self.assertIsNone(self.successResultOf(unknown.before_end()))
        self.assertEqual(self.reasons, [])


class JobTests(SynchronousTestCase):
    """What systemd answers."""

    def test_job(self) -> None:
        """The job of this unit, whatever else goes on."""
        said = "3 other.service stop waiting\n4 openrqd.service restart running\n"
        self.assertEqual(job_in(said, "openrqd.service"), "restart")
        self.assertEqual(job_in("No jobs running.\n", "openrqd.service"), "")

    def test_user(self) -> None:
        """A unit of a user's own manager is asked for there."""
        runner = FakeRunner()
        unit = Unit("openrqd.service", by_user=True)
        asked = Deferred.fromCoroutine(pending_job(unit, "/bin/systemctl", runner))
        self.assertEqual(self.successResultOf(asked), "")
        self.assertEqual(runner.commands[0][:3], ("/bin/systemctl", "--user", "list-jobs"))


class StatusTests(SynchronousTestCase):
    """The line that ``systemctl status`` shows."""

    def test_text(self) -> None:
        """Frames, cores, Cuebot, and what waits for it; cores can be fractions."""
        now = Situation(1, CoreCounts(800, 350, 200, 250), False, 3)
        self.assertEqual(
            status_text(now),
            "1 frame; cores: 2.5 booked, 3.5 idle, 2 locked; Cuebot does not answer;"
            " 3 completions wait for it",
        )
        self.assertIn("Cuebot answers", status_text(NOW._replace(cuebot_answers=True)))
