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
#: Rounds after which what is still there is called unkillable (D state): about 10 s.
_ROUNDS = 200


class Grace(NamedTuple):
    """How long a frame may take to end by itself, and what then (seconds)."""

    timeout: float
    interval: float
    force: bool

    def shortened(self, timeout: float) -> Grace:
        """At most that long, and then force, whatever else is configured."""
        return Grace(min(timeout, self.timeout), self.interval, force=True)


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

    async def climb(self) -> None:
        """Go up rung by rung; returns when the frame is over or has been given up on."""
        if await self._over_within_grace():
            self.log.info("frame ended within grace frame_id={frame_id}", frame_id=self._frame_id)
        elif self._grace.force:
            await self._kill_while(self._running)
        else:
            self.log.error(
                "frame outlived its grace, and is not to be forced frame_id={frame_id}",
                frame_id=self._frame_id,
            )

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

    async def sweep(self) -> None:
        """KILL all that a frame which is over has left, while its place is still its own."""
        await self._kill_while(lambda: bool(self._members.pids()))

    async def _kill_while(self, alive: Callable[[], bool]) -> None:
        """KILL again and again, since who is killed may fork meanwhile; say what came of it."""
        for _ in range(_ROUNDS):
            if not alive():
                self.log.info("frame is dead frame_id={frame_id}", frame_id=self._frame_id)
                return
            self._members.kill()
            await self._pause(_ROUND)
        left = self._members.pids()
        self.log.error(
            "processes can't be killed frame_id={frame_id} pids={pids}",
            frame_id=self._frame_id,
            pids=left,
        )

    def _pause(self, seconds: float) -> Deferred[None]:
        return deferLater(self._reactor, seconds, lambda: None)
