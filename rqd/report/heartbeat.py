"""Status reports: at an interval, and soon after a change."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.task import LoopingCall
from twisted.python.failure import Failure

from rqd.log import Logger
from rqd.report.backoff import Backoff
from rqd.report.outage import Outage

if TYPE_CHECKING:
    from rqd.proto.report_pb2 import HostReport

#: Changes within this time share one report, seconds.
COALESCE = 0.05


class Heartbeat:
    """Sends the newest facts, one report at a time.

    A report is built when it is sent, never before, so none ever waits behind a slow Cuebot: a
    tick that finds one in flight does nothing, a change that does is sent when that one has
    ended. A report that failed is followed by a fresh one after ``backoff``, or by the next tick
    if that is sooner.
    """

    log = Logger()

    def __init__(
        self,
        *,
        reactor: IReactorTime,
        build: Callable[[], HostReport],
        send: Callable[[HostReport], Deferred[Any]],
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
        self._in_flight = False
        self._changed_since = False
        self._timer: IDelayedCall | None = None
        self._ticks = LoopingCall(self._report)
        self._ticks.clock = reactor

    def start(self) -> None:
        """Send the first report now, and go on at the interval."""
        self._ticks.start(self._interval).addErrback(self._ended)

    def stop(self) -> None:
        """Send nothing more. A report in flight is left to its deadline, or to its client's end."""
        if self._ticks.running:
            self._ticks.stop()
        self._forget_timer()

    def changed(self) -> None:
        """Something that a status report tells has changed: report it soon.

        Does nothing unless started, as the first report will tell.
        """
        if self._in_flight:
            self._changed_since = True
        else:
            self._report_in(COALESCE)

    def _report(self) -> None:
        """Build and send, unless a report is in flight."""
        if self._in_flight:
            return
        self._forget_timer()
        self._changed_since = False
        try:
            report = self._build()
        except Exception:
            self.log.failure("no status report, as it could not be built")
            return
        self._in_flight = True
        call = maybeDeferred(self._send, report)
        call.addCallbacks(self._taken, self._failed).addErrback(self._ended)

    def _taken(self, _: object) -> None:
        self._in_flight = False
        self._failures = 0
        self._outage.answered()
        if self._changed_since:
            self._report_in(COALESCE)

    def _failed(self, failure: Failure) -> None:
        self._in_flight = False
        self._failures += 1
        self._outage.failed(failure)
        self._report_in(self._backoff(self._failures))

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
        self._report()

    def _forget_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _ended(self, failure: Failure) -> None:
        self.log.failure("status reports met the unexpected", failure)
