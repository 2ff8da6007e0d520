"""What each call about the host does, on the reactor. Frames are in ``calls``."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred

from rqd.host.departures import Departures
from rqd.host.kept import KeptStanding
from rqd.host.nimby import Nimby
from rqd.system.condition import IdleAction


class HostCalls:
    """The methods of ``rqd.RqdInterface`` that name no frame.

    What is to survive a restart is answered once it is on disk, or after a second without.
    """

    def __init__(
        self,
        standing: KeptStanding,
        nimby: Nimby,
        departures: Departures,
        *,
        report: Callable[[], bytes],
    ) -> None:
        self._standing = standing
        self._nimby = nimby
        self._departures = departures
        self._report = report

    def report(self) -> bytes:
        """A HostReport, serialised."""
        return self._report()

    # -- locks ---------------------------------------------------------------------------------

    def lock(self, points: int) -> Deferred[None]:
        self._standing.lock(points)
        return self._standing.kept()

    def lock_all(self) -> Deferred[None]:
        self._standing.lock_all()
        return self._standing.kept()

    def unlock(self, points: int) -> Deferred[None]:
        self._standing.unlock(points)
        return self._standing.kept()

    def unlock_all(self) -> Deferred[None]:
        self._standing.unlock_all()
        return self._standing.kept()

    # -- NIMBY ---------------------------------------------------------------------------------

    def nimby_on(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self._nimby_on())

    async def _nimby_on(self) -> None:
        await self._nimby.turn_on()
        await self._standing.kept()

    def nimby_off(self) -> Deferred[None]:
        self._nimby.turn_off()
        return self._standing.kept()

    # -- departures ----------------------------------------------------------------------------

    def reboot_now(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self._departures.reboot_now())

    def shut_down_now(self) -> None:
        self._departures.shut_down_now()

    def restart_now(self) -> None:
        self._departures.restart_now()

    def when_idle(self, action: IdleAction) -> Deferred[None]:
        self._departures.when_idle(action)
        return self._standing.kept()
