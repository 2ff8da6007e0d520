"""The agent as a service of systemd: what it reports of itself, and what a stop means."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from typing import NamedTuple

from twisted.internet.defer import Deferred

from rqd.host.running import CommandFailed, Runner
from rqd.host.systemd import own_unit
from rqd.log import Logger
from rqd.logging.mounts import IWorkersReactor
from rqd.system.reservations import CoreCounts
from rqd.systemd.jobs import STOP, pending_job
from rqd.systemd.notify import Notifier
from rqd.systemd.watchdog import Watchdog, own_patience

#: The reason that ended frames are given.
STOPPED = "the agent's service was stopped"


class Situation(NamedTuple):
    """What ``systemctl status`` is to show."""

    frames: int
    counts: CoreCounts
    """Points."""
    cuebot_answers: bool | None
    """None until one was called."""
    waiting: int
    """Completions that Cuebot has not taken."""


class Work(NamedTuple):
    """What the service's end needs of the rest of the agent; the composition root fills it in."""

    situation: Callable[[], Situation]
    end_frames: Callable[[str], Deferred[None]]
    """End all frames for a reason, and deliver their completions: within ``end_patience``."""
    end_patience: float
    """Seconds, the stop of the agent itself included."""


class Attendant:
    """Made where ``NOTIFY_SOCKET`` is set, and only there. On the reactor."""

    log = Logger()

    def __init__(
        self, notifier: Notifier, work: Work, *, reactor: IWorkersReactor, runner: Runner
    ) -> None:
        self._notifier = notifier
        self._work = work
        self._runner = runner
        self._unit = own_unit(os.environ, os.getpid())
        self._systemctl = shutil.which("systemctl") or ""
        self._status = ""
        self._trouble = ""
        self._watchdog: Watchdog | None = None
        if seconds := own_patience():
            self._watchdog = Watchdog(seconds, self._sign_of_life, reactor=reactor)

    # -- what is said --------------------------------------------------------------------------

    def serving(self) -> None:
        """Calls are answered from now on."""
        self._notifier.say(READY=1)
        self.look()
        if self._watchdog is not None:
            self._watchdog.start()

    def look(self) -> None:
        """Say how things are if that has changed; to be called once a tick."""
        status = self._now()
        if status != self._status:
            self._notifier.say(STATUS=status)
            self._status = status

    def reloading(self) -> None:
        self._notifier.say(RELOADING=1, MONOTONIC_USEC=time.monotonic_ns() // 1000)

    def reloaded(self, trouble: str) -> None:
        """``trouble`` is what is wrong with the configuration, in words, "" for nothing."""
        self._trouble = trouble
        self._notifier.say(READY=1)
        self.look()

    def _sign_of_life(self) -> None:
        self._notifier.say(WATCHDOG=1)

    def _now(self) -> str:
        status = status_text(self._work.situation())
        return f"{status}; {self._trouble}" if self._trouble else status

    # -- the end -------------------------------------------------------------------------------

    def before_end(self) -> Deferred[None]:
        """A signal asks for the agent's end: fires, and never fails, once it may end."""
        self._notifier.say(STOPPING=1)
        ended = Deferred.fromCoroutine(self._before_end())
        return ended.addErrback(lambda failure: self.log.failure("frames go on", failure))

    async def _before_end(self) -> None:
        if await self._job() == STOP:
            self.log.info("the service is being stopped, so frames end", host_event="stop")
            seconds = self._work.end_patience
            self._notifier.say(EXTEND_TIMEOUT_USEC=int(seconds * 1e6), STATUS="ending frames")
            await self._work.end_frames(STOPPED)

    async def _job(self) -> str:
        """What the service is about to suffer, "" where nobody knows: then frames go on."""
        if self._unit is None or not self._systemctl:
            return ""
        try:
            return await pending_job(self._unit, self._systemctl, self._runner)
        except CommandFailed as problem:
            self.log.error("systemd can't be asked, so frames go on reason={why}", why=problem)
            return ""


def status_text(now: Situation) -> str:
    """One line for people."""
    frames = f"{now.frames} frame{'s' if now.frames != 1 else ''}"
    booked, idle = _cores(now.counts.booked), _cores(now.counts.idle)
    parts = [frames, f"cores: {booked} booked, {idle} idle"]
    if now.counts.locked:
        parts[-1] += f", {_cores(now.counts.locked)} locked"
    parts.append(_CUEBOT[now.cuebot_answers])
    if now.waiting:
        parts.append(f"{now.waiting} completions wait for it")
    return "; ".join(parts)


_CUEBOT = {None: "no Cuebot seen yet", True: "Cuebot answers", False: "Cuebot does not answer"}


def _cores(points: int) -> str:
    return f"{points / 100:g}"
