"""Status reports: at an interval, and soon after a change."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.task import LoopingCall
from twisted.python.failure import Failure

from rqd.log import Logger
from rqd.report.backoff import Backoff
from rqd.report.outage import Outage

#: Changes within this time share one report, seconds.
COALESCE = 0.05
#: Reports in flight at once: a change doesn't wait for an answer that takes long.
MOST = 2


class Heartbeat:
    """Sends the newest facts, which also have the last word.

    A report is built when it is sent, never before, so none ever waits behind a slow Cuebot: a tick
    that finds one in flight does nothing; a change is sent beside it, and where ``MOST`` are in
    flight, as soon as one of them has ended. Cuebot may look at two that were in flight together in
    any order: when the older one ends last, another follows. A report that failed is followed by a
    fresh one after ``backoff``, or by the next tick if that is sooner.
    """

    log = Logger()

    def __init__(
        self,
        *,
        reactor: IReactorTime,
        build: Callable[[], bytes],
        send: Callable[[bytes], Deferred[Any]],
        interval: float,
        backoff: Backoff,
    ) -> None:
        self._reactor = reactor
        self._build = build
        self._send = send
        self._interval = interval
        self._backoff = backoff
        self._outage = Outage("status reports")
        self._failures = 0
        self._in_flight = 0
        self._sent = 0
        self._newest_taken = 0
        self._untold = False
        self._waiting: list[tuple[int, Deferred[None]]] = []
        self._timer: IDelayedCall | None = None
        self._ticks = LoopingCall(self._tick)
        self._ticks.clock = reactor

    def start(self) -> None:
        """Send the first report now, and go on at the interval."""
        self._ticks.start(self._interval).addErrback(self._unexpected)

    def stop(self) -> None:
        """Send nothing more. A report in flight is left to its deadline, or to its client's end."""
        if self._ticks.running:
            self._ticks.stop()
        self._forget_timer()

    def pace(self, interval: float) -> None:
        """Another interval, seconds, from the next report on."""
        self._interval = self._ticks.interval = interval

    def changed(self) -> None:
        """Something that a status report tells has changed: report it soon.

        Does nothing unless started, as the first report will tell.
        """
        self._untold = True
        if self._in_flight < MOST:
            self._report_in(COALESCE)

    def told(self) -> Deferred[None]:
        """Fire once a report of what is so now, or later, was taken; at once unless started."""
        told: Deferred[None] = Deferred()
        if not self._ticks.running:
            told.callback(None)
            return told
        self._waiting.append((self._sent + 1, told))
        self.changed()
        return told

    def _tick(self) -> None:
        if not self._in_flight:
            self._report()

    def _report(self) -> None:
        """Build and send."""
        self._forget_timer()
        self._untold = False
        try:
            report = self._build()
        except Exception:
            self.log.failure("no status report, as it could not be built")
            return
        self._in_flight += 1
        self._sent += 1
        call = maybeDeferred(self._send, report)
        number = (self._sent,)
        call.addCallbacks(self._taken, self._failed, callbackArgs=number, errbackArgs=number)
        call.addErrback(self._unexpected)

    def _taken(self, _: object, number: int) -> None:
        self._failures = 0
        self._outage.answered()
        self._ended(number)
        self._newest_taken = max(self._newest_taken, number)
        if self._untold:
            self._report_in(COALESCE)
        self._tell_waiting()

    def _failed(self, failure: Failure, number: int) -> None:
        self._failures += 1
        self._outage.failed(failure)
        self._ended(number)
        self._report_in(COALESCE if self._untold else self._backoff(self._failures))

    def _ended(self, number: int) -> None:
        self._in_flight -= 1
        if number < self._newest_taken:
            self._untold = True

    def _tell_waiting(self) -> None:
        waiting, self._waiting = self._waiting, []
        for number, told in waiting:
            if number > self._newest_taken:
                self._waiting.append((number, told))
            elif not told.called:
                told.callback(None)

    def _report_in(self, delay: float) -> None:
        """Report after ``delay`` seconds, or when that was due already if sooner."""
        if not self._ticks.running:
            return
        due = self._reactor.seconds() + delay
        if self._timer is None:
            self._timer = self._reactor.callLater(delay, self._timer_fired)
        elif self._timer.getTime() > due:
            self._timer.reset(delay)

    def _timer_fired(self) -> None:
        self._timer = None
        if not self._in_flight or (self._untold and self._in_flight < MOST):
            self._report()

    def _forget_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _unexpected(self, failure: Failure) -> None:
        self.log.failure("status reports met the unexpected", failure)
