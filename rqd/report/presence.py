"""This host as Cuebot sees it: made known once, then kept alive."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure

from rqd.log import Logger
from rqd.report.heartbeat import Heartbeat

#: How long status reports wait for the startup report, seconds.
PATIENCE = 60.0


class Presence:
    """Status reports follow the startup report.

    Cuebot books a host on its status reports and takes cores, memory and tags from its startup
    report alone: a status sent first would be booked by the facts of an earlier start. If Cuebot
    refuses the startup report for ``PATIENCE`` seconds the status reports begin all the same,
    because it runs frames a second time that it has not heard of for five minutes. The attempts
    at the startup report go on meanwhile.
    """

    log = Logger()

    def __init__(
        self,
        *,
        reactor: IReactorTime,
        announce: Callable[[], Deferred[None]],
        heartbeat: Heartbeat,
    ) -> None:
        self._reactor = reactor
        self._announce = announce
        self._heartbeat = heartbeat
        self._announcement: Deferred[None] | None = None
        self._patience: IDelayedCall | None = None

    def start(self) -> None:
        """Announce the host. The agent serves meanwhile; nothing here ends it."""
        self._patience = self._reactor.callLater(PATIENCE, self._heartbeat_anyway)
        self._announcement = self._announce()
        self._announcement.addCallbacks(self._accepted, self._broken)

    def stop(self) -> None:
        """Report nothing more, neither the start nor a status."""
        self._forget_patience()
        if self._announcement is not None:
            self._announcement.cancel()
        self._heartbeat.stop()

    def changed(self) -> None:
        """Something that the reports tell has changed (a lock, NIMBY, the hardware's state)."""
        self._heartbeat.changed()

    def pace(self, interval: float) -> None:
        """Seconds between status reports."""
        self._heartbeat.pace(interval)

    def told(self) -> Deferred[None]:
        """Fire once Cuebot took a status report of what is so now; at once if none is sent yet."""
        return self._heartbeat.told()

    def _accepted(self, _: None) -> None:
        if self._forget_patience():
            self._heartbeat.start()

    def _heartbeat_anyway(self) -> None:
        self._patience = None
        self.log.warn("no startup report was taken yet, status reports begin without")
        self._heartbeat.start()

    def _forget_patience(self) -> bool:
        """Return whether the heartbeat was still to begin."""
        if self._patience is None:
            return False
        self._patience.cancel()
        self._patience = None
        return True

    def _broken(self, failure: Failure) -> None:
        if not failure.check(CancelledError):
            self.log.failure("announcing this host failed", failure)
