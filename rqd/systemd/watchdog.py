"""Telling systemd's watchdog that the agent is well, for as long as it is.

Well means that calls could be answered: the reactor gets round to its timers, a new thread starts,
and what a thread hands over reaches the reactor. Every call of Cuebot and every word from a disk
comes that way. What a new process would not cure doesn't count: a Cuebot that is away, a disk or a
mount that hangs, frames that can't be killed.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from threading import Thread
from typing import Any

from twisted.internet.task import LoopingCall

from rqd.log import Logger
from rqd.logging.mounts import IWorkersReactor


def patience(environ: Mapping[str, str], pid: int) -> float:
    """How long systemd waits for a sign of life, seconds; 0 where it doesn't watch this process."""
    if environ.get("WATCHDOG_PID", str(pid)) != str(pid):
        return 0.0
    text = environ.get("WATCHDOG_USEC", "")
    return int(text) / 1e6 if text.isdecimal() else 0.0


def in_thread(work: Callable[[], object]) -> None:
    """Raises RuntimeError where no thread can be started."""
    Thread(target=work, name="watchdog", daemon=True).start()


class Watchdog:
    """Gives a sign twice in the time that systemd waits, each by way of a thread.

    While one is under way no other is begun, so a way that is blocked is seen as such.
    """

    log = Logger()

    def __init__(
        self,
        seconds: float,
        sign: Callable[[], object],
        *,
        reactor: IWorkersReactor,
        in_thread: Callable[[Callable[[], object]], None] = in_thread,
    ) -> None:
        self._interval = seconds / 2
        self._sign = sign
        self._reactor = reactor
        self._in_thread = in_thread
        self._under_way = False
        self._loop = LoopingCall(self._look)
        self._loop.clock = reactor

    def start(self) -> None:
        self._loop.start(self._interval)

    def _look(self) -> None:
        if self._under_way:
            self.log.error("threads don't reach the reactor: systemd's watchdog gets no sign")
            return
        try:
            self._in_thread(self._from_thread)
        except RuntimeError as problem:
            self.log.error("no sign for systemd's watchdog reason={reason}", reason=problem)
        else:
            self._under_way = True

    def _from_thread(self) -> None:
        self._reactor.callFromThread(self._arrived)

    def _arrived(self, *_: Any) -> None:
        self._under_way = False
        self._sign()


def own_patience() -> float:
    """That of this process."""
    return patience(os.environ, os.getpid())
