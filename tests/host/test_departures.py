"""Departures: what is told and done in which order, and what isn't waited for without a limit."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase

from rqd.host.commands import MachineCommands
from rqd.host.departures import (
    KILL_MARGIN,
    LOGINS_PATIENCE,
    LOOK_AGAIN,
    REBOOT_PATIENCE,
    RESTART_PATIENCE,
    STOP_PATIENCE,
    Departures,
    Surroundings,
)
from rqd.host.running import Runner
from rqd.host.standing import Standing
from rqd.refusals import Unavailable, WrongState
from rqd.system.condition import HostCondition, IdleAction
from tests.frame.fakes import FakeMembers, FakeProcess
from tests.frame.place import Place

GRACE = 30.0


class DepartureCase(SynchronousTestCase):
    """A host of four cores, on which frames are started but commands only by their name."""

    def setUp(self) -> None:
        self.place = Place(self)
        self.standing = Standing(
            self.place.ledger, nimby_configured=False, boot_id="this", changed=self.changed
        )
        self.people: list[str] | Deferred[list[str]] = []
        self.delivered: Deferred[object] = succeed(None)
        self.order: list[str] = []
        self.departures = self.make(("reboot",), ("restart",))

    def make(self, reboot: Any, restart: Any, stop: Any = None) -> Departures:
        around = Surroundings(
            at_display=self.at_display,
            user_active=lambda: False,
            deliver=self.deliver,
            stop=lambda: self.order.append("stop"),
            grace=GRACE,
        )
        return Departures(
            MachineCommands(reboot, restart, stop),
            self.standing,
            self.place.roster,
            around,
            reactor=self.place.reactor,
            runner=Runner(reactor=self.place.reactor, processes=self.place.reactor, environ={}),
        )

    def changed(self, _: object) -> None:
        self.place.condition = self.standing.condition

    def at_display(self) -> Deferred[list[str]]:
        return succeed(self.people) if isinstance(self.people, list) else self.people

    def deliver(self) -> Deferred[object]:
        self.order.append("deliver")
        return self.delivered

    def launch(self) -> FakeProcess:
        """A frame that runs."""
        frame = self.place.launch()
        self.place.turn()
        frame.members = FakeMembers(self.place.process.pid)
        return self.place.process

    def end(self, process: FakeProcess) -> None:
        """The frame ends by itself."""
        process.begin()
        process.end(0)
        self.place.turn()

    def reboot_now(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self.departures.reboot_now())

    @property
    def commands(self) -> list[FakeProcess]:
        """The commands that were run, whatever frames were."""
        started = self.place.reactor.spawned
        return [each for each in started if each.arguments[0] in ("reboot", "restart", "stop")]

    @property
    def state(self) -> str:
        return self.standing.condition.state


class WhenIdleTests(DepartureCase):
    """What waits until no frame runs."""

    def test_waits(self) -> None:
        """As long as a frame runs it waits; then everything is delivered, then it is done."""
        process = self.launch()
        self.departures.when_idle(IdleAction.REBOOT)
        self.place.reactor.advance(1e6)
        self.assertEqual((self.state, self.order), ("REBOOT_WHEN_IDLE", []))
        self.delivered = Deferred()
        self.end(process)
        self.assertEqual((self.state, self.order, self.commands), ("REBOOTING", ["deliver"], []))
        self.delivered.callback(None)
        self.assertEqual(len(self.commands), 1)

    def test_called_off(self) -> None:
        """What was called off doesn't happen when the last frame ends."""
        process = self.launch()
        self.departures.when_idle(IdleAction.SHUTDOWN)
        self.standing.unlock_all()
        self.end(process)
        self.assertEqual(self.order, [])

    def test_called_off_and_asked_again(self) -> None:
        """What is asked again happens once."""
        process = self.launch()
        for _ in range(3):
            self.departures.when_idle(IdleAction.REBOOT)
            self.standing.unlock_all()
        self.departures.when_idle(IdleAction.REBOOT)
        self.end(process)
        self.assertEqual(len(self.commands), 1)

    def test_newest(self) -> None:
        """Of several the newest counts."""
        process = self.launch()
        for action in (IdleAction.REBOOT, IdleAction.RESTART, IdleAction.SHUTDOWN):
            self.departures.when_idle(action)
        self.end(process)
        self.assertEqual((self.order, self.commands), (["deliver", "stop"], []))

    def test_people(self) -> None:
        """A reboot waits for people at the display to leave; a shutdown is none of theirs."""
        self.people = ["ada on :0"]
        self.departures.when_idle(IdleAction.REBOOT)
        self.assertEqual(self.commands, [])
        self.people = []
        self.place.reactor.advance(LOOK_AGAIN)
        self.assertEqual(len(self.commands), 1)

    def test_resume(self) -> None:
        """What an earlier agent was asked is waited for by this one."""
        self.standing.wait_for(IdleAction.SHUTDOWN)
        self.departures.resume()
        self.assertEqual(self.order, ["deliver", "stop"])

    def test_resume_nothing(self) -> None:
        """Nothing is nothing."""
        self.departures.resume()
        self.assertEqual((self.order, self.state), ([], "UP"))

    def test_resume_impossible(self) -> None:
        """What can't be done any more is dropped: the host would be lost."""
        self.standing.wait_for(IdleAction.REBOOT)
        self.make(None, None).resume()
        self.assertEqual(self.state, "UP")
        self.assertEqual(self.place.ledger.counts().locked, 0)


class NowTests(DepartureCase):
    """What doesn't wait for frames."""

    def test_frames_that_stay(self) -> None:
        """Frames that survive their kill don't keep a machine from its reboot."""
        self.launch()
        self.successResultOf(self.reboot_now())
        self.place.reactor.advance(GRACE + KILL_MARGIN - 1)
        self.assertEqual(self.commands, [])
        self.place.reactor.advance(1)
        self.assertEqual(len(self.commands), 1)

    def test_shutdown_of_frames_that_stay(self) -> None:
        """Nor an agent from its end."""
        self.launch()
        self.departures.shut_down_now()
        self.assertEqual((self.state, self.order), ("DOWN", []))
        self.place.reactor.advance(GRACE + KILL_MARGIN)
        self.assertEqual(self.order, ["deliver", "stop"])

    def test_shutdown_without_cuebot(self) -> None:
        """Whatever becomes of the reports, the agent ends."""
        self.delivered = Deferred()
        self.departures.shut_down_now()
        self.delivered.errback(ZeroDivisionError("a bug"))
        self.assertEqual(self.order, ["deliver", "stop"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_reboot_after_a_bug(self) -> None:
        """A reboot that a bug kept from happening leaves a host that takes frames."""
        self.delivered = Deferred()
        self.successResultOf(self.reboot_now())
        self.assertEqual(self.state, "REBOOTING")
        self.delivered.errback(ZeroDivisionError("a bug"))
        self.assertEqual(self.state, "UP")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_people(self) -> None:
        """Nobody is thrown out."""
        self.people = ["ada on :0", "bob on tty2"]
        problem = self.failureResultOf(self.reboot_now(), WrongState).value
        self.assertIn("ada on :0, bob on tty2", problem.detail)
        self.assertEqual(self.state, "UP")

    def test_people_unknown(self) -> None:
        """Where it can't be found out who is there, somebody might be."""
        self.people = people = Deferred()
        asked = self.reboot_now()
        self.place.reactor.advance(LOGINS_PATIENCE)
        self.failureResultOf(asked, WrongState)
        people.callback([])
        self.assertEqual(self.state, "UP")

    def test_people_slow(self) -> None:
        """What was begun while somebody waited for the answer is not begun again."""
        self.people = people = Deferred()
        first, second = self.reboot_now(), self.reboot_now()
        self.departures.shut_down_now()
        people.callback([])
        for asked in (first, second):
            self.failureResultOf(asked, Unavailable)
        self.assertEqual((self.order, self.commands), (["deliver", "stop"], []))

    def test_restart(self) -> None:
        """A restart kills nothing, and takes nothing any more."""
        process = self.launch()
        self.departures.restart_now()
        self.assertEqual((len(self.commands), self.state), (1, "UP"))
        self.assertTrue(self.standing.condition.stopping)
        self.assertEqual(self.place.roster.all()[0].phase.value, "running")
        self.end(process)

    def test_one_at_a_time(self) -> None:
        """What has begun isn't begun again, and nothing else is instead."""
        self.departures.restart_now()
        self.departures.restart_now()
        self.departures.when_idle(IdleAction.RESTART)
        self.assertRaises(Unavailable, self.departures.shut_down_now)
        self.assertRaises(Unavailable, self.departures.when_idle, IdleAction.REBOOT)
        self.assertEqual(len(self.commands), 1)

    def test_stopped_by_systemd(self) -> None:
        """What would start the agent again is asked to stop it; if it doesn't, the agent ends."""
        departures = self.make(None, None, ("stop",))
        departures.shut_down_now()
        (command,) = self.commands
        self.assertEqual(self.order, ["deliver"])
        command.die(0)
        self.place.reactor.advance(STOP_PATIENCE)
        self.assertEqual(self.order, ["deliver", "stop"])

    def test_impossible(self) -> None:
        """Where nothing can do it, it is refused, and nothing has changed."""
        departures = self.make(None, None)
        self.assertRaises(WrongState, departures.restart_now)
        self.assertRaises(WrongState, departures.when_idle, IdleAction.RESTART)
        self.assertRaises(WrongState, departures.when_idle, IdleAction.REBOOT)
        self.failureResultOf(Deferred.fromCoroutine(departures.reboot_now()), WrongState)
        self.assertEqual(self.standing.condition, HostCondition())


class WindUpTests(DepartureCase):
    """The agent is being stopped from outside."""

    def test_wind_up(self) -> None:
        """Frames end, then their completions are delivered, and the agent is left alone."""
        process = self.launch()
        wound_up = self.departures.wind_up("stopped")
        self.assertEqual((self.state, self.order), ("DOWN", []))
        self.end(process)
        self.assertEqual(self.order, ["deliver"])
        self.assertIsNone(self.successResultOf(wound_up))

    def test_frames_that_stay(self) -> None:
        """Nothing is waited for without a limit."""
        self.launch()
        wound_up = self.departures.wind_up("stopped")
        self.place.reactor.advance(GRACE + KILL_MARGIN - 1)
        self.assertNoResult(wound_up)
        self.place.reactor.advance(1)
        self.assertIsNone(self.successResultOf(wound_up))

    def test_after_a_shutdown(self) -> None:
        """A departure that has done the same is not done once more, only waited for."""
        self.delivered = Deferred()
        self.departures.shut_down_now()
        wound_up = self.departures.wind_up("stopped")
        self.assertNoResult(wound_up)
        self.delivered.callback(None)
        self.assertIsNone(self.successResultOf(wound_up))
        self.assertEqual(self.order, ["deliver", "stop"])


class CommandTests(DepartureCase):
    """What becomes of the commands."""

    def test_fails(self) -> None:
        """A command that fails brings the host back, for frames and for the next try."""
        self.successResultOf(self.reboot_now())
        self.commands[0].die(1 << 8)
        self.assertEqual(self.state, "UP")
        self.successResultOf(self.reboot_now())
        self.assertEqual((self.state, len(self.commands)), ("REBOOTING", 2))

    def test_no_program(self) -> None:
        """So does one that can't be run at all."""
        self.place.reactor.refusal = FileNotFoundError(2, "No such file or directory")
        self.departures.restart_now()
        self.assertEqual(self.standing.condition.stopping, "")

    def test_no_effect(self) -> None:
        """A command that succeeds without effect is one that failed, later."""
        self.successResultOf(self.reboot_now())
        self.commands[0].die(0)
        self.place.reactor.advance(REBOOT_PATIENCE - 1)
        self.assertEqual(self.state, "REBOOTING")
        self.place.reactor.advance(1)
        self.assertEqual(self.state, "UP")
        self.departures.restart_now()
        self.commands[1].die(0)
        self.place.reactor.advance(RESTART_PATIENCE)
        self.assertEqual(self.standing.condition.stopping, "")
