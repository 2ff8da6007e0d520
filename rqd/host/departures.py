"""Reboots, shutdowns, restarts: now, or once no frame runs.

::

    ask ──▶ [wait until no frame runs] ──▶ take no frame any more ──▶ [kill] ──▶ deliver ──▶ go
                  │                                                                      │
                  ◀── Unlock, UnlockAll                        the command failed ──▶ UP again

Nothing here waits without a limit except for frames to end by themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from rqd.background import background
from rqd.frame.ladder import UNKILLABLE
from rqd.frame.patience import TooLate, within
from rqd.frame.phases import END_PATIENCE
from rqd.frame.roster import Roster
from rqd.host.commands import MachineCommands
from rqd.host.running import CommandFailed, Runner
from rqd.host.standing import Standing
from rqd.log import Logger
from rqd.refusals import Unavailable, WrongState
from rqd.system.condition import DOWN, REBOOTING, UP, IdleAction

#: How long the machine may take to go down, and the agent to be stopped, once the command was
#: run; after that nothing will come of it. Seconds.
REBOOT_PATIENCE = 600.0
RESTART_PATIENCE = 60.0
STOP_PATIENCE = 10.0
#: Between two looks at what keeps an idle action from being done, besides frames. Seconds.
LOOK_AGAIN = 10.0
#: What the KILL of a frame, its log and its report may take after the grace. Seconds.
KILL_MARGIN = UNKILLABLE + END_PATIENCE + 5.0
#: How long a question about the people at the display may take. Seconds.
LOGINS_PATIENCE = 5.0

REBOOTED = "the host is about to reboot"
SHUT_DOWN = "the agent was told to shut down now"
SHUT_DOWN_IDLE = "the agent was told to shut down once idle"
RESTARTED = "the agent is being restarted"


class Surroundings(NamedTuple):
    """What departures need of the rest of the agent; the composition root fills it in."""

    at_display: Callable[[], Deferred[list[str]]]
    """Who is logged in at the screen, in words."""
    user_active: Callable[[], bool]
    """Whether NIMBY sees somebody."""
    deliver: Callable[[], Deferred[object]]
    """Tell Cuebot of the state and of frames that ended; fires within a bounded time."""
    stop: Callable[[], None]
    """End the agent, in order."""
    grace: float
    """What a frame is given to end by itself, seconds."""


class Departures:
    """Asks nobody twice: what has begun is not begun again, and nothing else is instead."""

    log = Logger()

    def __init__(
        self,
        commands: MachineCommands,
        standing: Standing,
        frames: Roster,
        around: Surroundings,
        *,
        reactor: IReactorTime,
        runner: Runner,
    ) -> None:
        self._commands = commands
        self._standing = standing
        self._frames = frames
        self._around = around
        self._reactor = reactor
        self._runner = runner
        self._vigil = object()
        self._begun: IdleAction | None = None
        self._winding_up: Deferred[None] | None = None

    # -- what can be asked ---------------------------------------------------------------------

    def resume(self) -> None:
        """Go on to wait for what an earlier agent waited for."""
        action = self._standing.waiting_for
        if action is None:
            return
        if self._why_impossible(action):
            self.log.error("can't be done here any more action={action}", action=action.value)
            self._standing.come_back()
        else:
            self._keep_vigil(action)

    def when_idle(self, action: IdleAction) -> None:
        """Do it once no frame runs; raises WrongState or Unavailable."""
        self._refuse(action)
        if self._begun is None:
            self._standing.wait_for(action)
            self._keep_vigil(action)

    async def reboot_now(self) -> None:
        """Kill all frames and reboot; raises WrongState while somebody is at the display."""
        self._refuse(IdleAction.REBOOT)
        people = await self._people()
        if people:
            raise WrongState(f"somebody uses this host: {', '.join(people)}")
        self._refuse(IdleAction.REBOOT)  # who was asked may have taken a while
        self._begin(IdleAction.REBOOT, kill=REBOOTED)

    def shut_down_now(self) -> None:
        """Kill all frames and end the agent."""
        self._refuse(IdleAction.SHUTDOWN)
        self._begin(IdleAction.SHUTDOWN, kill=SHUT_DOWN)

    def wind_up(self, reason: str) -> Deferred[None]:
        """Take no frame any more, kill all, tell Cuebot: the agent is being stopped from outside.

        Fires within the grace of frames, ``KILL_MARGIN`` and the time of a delivery. What a
        departure does of it anyway is not done twice.
        """
        if self._winding_up is None:
            self._standing.leave(DOWN, reason)
        return self._wind_up(reason)

    def restart_now(self) -> None:
        """Restart the agent, frames go on; raises WrongState where nothing would start it."""
        self._refuse(IdleAction.RESTART)
        self._begin(IdleAction.RESTART)

    # -- refusing ------------------------------------------------------------------------------

    def _refuse(self, action: IdleAction) -> None:
        if self._begun is not None and self._begun is not action:
            if self._begun is IdleAction.REBOOT:
                raise WrongState(REBOOTED)
            raise Unavailable(self._standing.condition.stopping)
        if impossible := self._why_impossible(action):
            raise WrongState(impossible)

    def _why_impossible(self, action: IdleAction) -> str:
        if action is IdleAction.REBOOT and self._commands.reboot is None:
            return (
                "nothing here can reboot the machine: systemd doesn't run the agent,"
                " and machine.reboot_command is not set or can't be found"
            )
        if action is IdleAction.RESTART and self._commands.restart is None:
            return (
                "nothing here would start the agent again: systemd doesn't run it,"
                " and machine.restart_command is not set or can't be found"
            )
        return ""

    # -- waiting for idle ----------------------------------------------------------------------

    def _keep_vigil(self, action: IdleAction) -> None:
        self._vigil = vigil = object()
        self.log.info("waiting until no frame runs action={action}", action=action.value)
        background(self._when_idle(action, vigil), self.log, f"{action.value} when idle")

    async def _when_idle(self, action: IdleAction, vigil: object) -> None:
        def is_on() -> bool:
            return self._vigil is vigil and self._standing.waiting_for is action

        said: Sequence[str] = ()
        await self._frames.when_empty()
        while is_on() and (reasons := await self._obstacles(action)):
            if reasons != said:
                said = reasons
                self.log.info("not yet: {reasons} action={action}", reasons=reasons, action=action)
            await self._pause(LOOK_AGAIN)
            await self._frames.when_empty()
        if is_on() and self._begun is None:
            self._begin(action)

    async def _obstacles(self, action: IdleAction) -> Sequence[str]:
        """What, besides frames, speaks against it: people, to a reboot."""
        return await self._people() if action is IdleAction.REBOOT else ()

    async def _people(self) -> Sequence[str]:
        if self._around.user_active():
            return ["its user is active"]
        asked = self._around.at_display()
        try:
            return await within(asked, LOGINS_PATIENCE, reactor=self._reactor)
        except TooLate:
            asked.addErrback(lambda _: None)  # nobody waits for it any more
            return ["it can't be found out who is logged in"]

    # -- going ---------------------------------------------------------------------------------

    def _begin(self, action: IdleAction, *, kill: str = "") -> None:
        """Take no frame from now on, and go as soon as all is told."""
        if self._begun is not None:
            return
        self._begun = action
        self.log.info("beginning action={action}", action=action.value, host_event=action.value)
        background(self._go(action, kill), self.log, action.value)

    async def _go(self, action: IdleAction, kill: str) -> None:
        if action is IdleAction.SHUTDOWN:
            await self._shut_down(kill)
            return
        try:
            if action is IdleAction.REBOOT:
                await self._reboot(kill)
            else:
                await self._restart()
        except CommandFailed as problem:
            self.log.error(
                "nothing came of it, frames are taken again action={action} reason={reason}",
                action=action.value,
                reason=problem,
            )
        except Exception:
            self.log.failure("nothing came of it action={action}", action=action.value)
        self._begun = self._winding_up = None
        self._standing.come_back()

    async def _reboot(self, kill: str) -> None:
        assert self._commands.reboot is not None
        self._standing.leave(REBOOTING, "")
        await self._wind_up(kill)
        await self._run(self._commands.reboot, REBOOT_PATIENCE)

    async def _restart(self) -> None:
        assert self._commands.restart is not None
        self._standing.leave(UP, RESTARTED)
        await self._run(self._commands.restart, RESTART_PATIENCE)

    async def _shut_down(self, kill: str) -> None:
        self._standing.leave(DOWN, kill or SHUT_DOWN_IDLE)
        try:
            await self._wind_up(kill)
            await self._be_stopped()
        finally:
            self._around.stop()

    async def _be_stopped(self) -> None:
        """What starts again an agent that ends by itself has to stop it."""
        if self._commands.stop is None:
            return
        try:
            await self._run(self._commands.stop, STOP_PATIENCE)
        except CommandFailed as problem:
            self.log.error("ending by itself reason={reason}", reason=problem)

    def _wind_up(self, kill: str) -> Deferred[None]:
        """Once for all who wait for it."""
        if self._winding_up is None:
            self._winding_up = Deferred.fromCoroutine(self._end_and_tell(kill))
        waiting: Deferred[None] = Deferred()
        self._winding_up.addBoth(_pass_on, waiting)
        return waiting

    async def _end_and_tell(self, kill: str) -> None:
        await self._end_frames(kill)
        await self._around.deliver()

    async def _end_frames(self, kill: str) -> None:
        """Kill all; what can't be killed is not waited for."""
        if not kill:
            return
        self._frames.kill_all(kill)
        patience = self._around.grace + KILL_MARGIN
        empty = self._frames.when_empty()
        try:
            await within(empty, patience, reactor=self._reactor)
        except TooLate:
            left = [frame.spec.frame_id for frame in self._frames.all()]
            self.log.error("frames outlive their kill frame_ids={left}", left=left)

    async def _run(self, command: Sequence[str], patience: float) -> None:
        """Run a command by which this agent should meet its end; raises CommandFailed."""
        self.log.info("running command={command}", command=command)
        said = await self._runner.run(command, patience)
        self.log.info("ran command={command} said={said}", command=command, said=said)
        await self._pause(patience)
        raise CommandFailed(f"{' '.join(command)} had no effect within {patience:g} s")

    def _pause(self, seconds: float) -> Deferred[None]:
        return deferLater(self._reactor, seconds, lambda: None)


def _pass_on(result: Failure | None, waiting: Deferred[None]) -> None:
    """A failure is the business of who waits first."""
    waiting.callback(result)
