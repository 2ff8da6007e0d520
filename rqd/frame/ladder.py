"""Ending a frame: ask, wait, insist, prove (SPEC §3, kill ladder)."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import NamedTuple

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from rqd.frame.members import IMembers
from rqd.log import Logger

#: Pause between two rounds of SIGKILL, seconds: long enough for a process to die of the last one.
_ROUND = 0.05
#: Seconds of KILL after which what still lives is called unkillable: it hangs in the kernel, mostly
#: in a dead mount (D state). To give back 100 GiB of memory takes some seconds, too.
UNKILLABLE = 10.0


class Grace(NamedTuple):
    """How long a frame may take to end by itself, and what then (seconds).

    ``limit`` is for how long it is killed before that is called vain.
    """

    timeout: float
    interval: float
    force: bool
    limit: float = UNKILLABLE

    def shortened(self, timeout: float) -> Grace:
        """At most that long, and then force, whatever else is configured."""
        return self._replace(timeout=min(timeout, self.timeout), force=True)


class Ladder:
    """TERM to all of a frame, a time of grace, then KILL until it is over.

    ``running`` tells whether the frame runs. While it does, a frame without processes is not dead:
    it may be only about to have its first. Once it doesn't, its place may be another frame's, so
    nothing there is looked at any more. What it left behind is swept before that.
    """

    log = Logger()

    def __init__(
        self,
        members: IMembers,
        grace: Grace,
        *,
        running: Callable[[], bool],
        frame_id: str,
        reactor: IReactorTime,
    ) -> None:
        self._members = members
        self._grace = grace
        self._running = running
        self._frame_id = frame_id
        self._reactor = reactor

    async def climb(self) -> bool:
        """Go up rung by rung; False if the frame runs on whatever was done."""
        if await self._over_within_grace():
            self.log.info("frame ended within grace frame_id={frame_id}", frame_id=self._frame_id)
        elif self._grace.force:
            return await self._kill_while(self._running)
        else:
            self.log.error(
                "frame outlived its grace, and is not to be forced frame_id={frame_id}",
                frame_id=self._frame_id,
            )
        return True

    def _ask(self) -> int:
        """Ask each process to end; what is stopped can't hear that before it is woken."""
        asked = self._members.send(signal.SIGTERM)
        self._members.wake()
        self.log.info(
            "frame asked to end frame_id={frame_id} processes={n}", frame_id=self._frame_id, n=asked
        )
        return asked

    async def _over_within_grace(self) -> bool:
        deadline = self._reactor.seconds() + self._grace.timeout
        asked = self._ask()
        while self._running():
            left = deadline - self._reactor.seconds()
            if left <= 0:
                return False
            await self._pause(min(self._grace.interval if asked else _ROUND, left))
            if not asked and self._running() and self._members.pids():
                asked = self._ask()
        return True

    async def sweep(self) -> bool:
        """KILL all that a frame which is over has left, while its place is still its own.

        False if something of it can't be killed.
        """
        dead = await self._kill_while(lambda: bool(self._members.pids()))
        if dead:
            self.log.info("frame is dead frame_id={frame_id}", frame_id=self._frame_id)
        return dead

    async def _kill_while(self, alive: Callable[[], bool]) -> bool:
        """KILL again and again, since who is killed may fork meanwhile; whether that helped."""
        deadline = self._reactor.seconds() + self._grace.limit
        while alive():
            if self._reactor.seconds() >= deadline:
                self._say_vain()
                return False
            self._members.kill()
            await self._pause(_ROUND)
        return True

    def _say_vain(self) -> None:
        self.log.error(
            "processes can't be killed frame_id={frame_id} pids={pids}",
            frame_id=self._frame_id,
            pids=self._members.pids(),
        )

    def _pause(self, seconds: float) -> Deferred[None]:
        return deferLater(self._reactor, seconds, lambda: None)
