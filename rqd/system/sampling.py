"""The tick: statistics of all frames, taken in a worker, handed over on the reactor."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.task import LoopingCall

from rqd.log import Logger
from rqd.system.usage import FrameUsage

LATE = 30.0
"""Seconds after which a pass that has not ended is spoken of: statistics stand still meanwhile."""


class Sampling:
    """Calls ``measure`` in a worker at every interval and hands its result to ``deliver``.

    ``LoopingCall`` waits for the Deferred, so a slow pass makes ticks fall out instead of piling
    up; an exception is logged and the next tick comes all the same. A pass may hang for as long as
    the kernel waits for a dead mount: then that is said, once.
    """

    log = Logger()

    def __init__(
        self,
        *,
        reactor: IReactorTime,
        interval: float,
        measure: Callable[[], Deferred[Mapping[str, FrameUsage]]],
        deliver: Callable[[Mapping[str, FrameUsage]], object],
    ) -> None:
        self._interval = interval
        self._measure = measure
        self._deliver = deliver
        self._loop = LoopingCall(self._tick)
        self._loop.clock = reactor
        self._reactor = reactor
        self._first: IDelayedCall | None = None

    def start(self) -> None:
        """Begin in the middle of an interval.

        Status reports, which begin about now, have as long an interval: a pass over many processes
        and a report of many frames would take the interpreter from each other.
        """
        self._first = self._reactor.callLater(
            self._interval / 2, lambda: self._loop.start(self._interval)
        )

    def stop(self) -> None:
        if self._loop.running:
            self._loop.stop()
        elif self._first is not None and self._first.active():
            self._first.cancel()

    def pace(self, interval: float) -> None:
        """Another interval, seconds, from the next tick on."""
        self._interval = self._loop.interval = interval

    def _tick(self) -> Deferred[Any]:
        late = self._reactor.callLater(LATE, self._say_late)
        measured = self._measure().addBoth(_in_time, late)
        return measured.addCallback(self._deliver).addErrback(self._failed)

    def _say_late(self) -> None:
        self.log.warn("the sampling of the frames hangs: statistics and memory protection wait")

    def _failed(self, failure: Any) -> None:
        self.log.failure("a sampling of the frames failed", failure)


def _in_time(result: Any, late: IDelayedCall) -> Any:
    """Whatever it is, it came: nobody need speak of it any more."""
    if late.active():
        late.cancel()
    return result
