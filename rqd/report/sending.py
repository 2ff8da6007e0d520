"""All that is sent to Cuebot, with its order of start and stop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred

from rqd.frame.patience import TooLate, within
from rqd.log import Logger
from rqd.report.announcer import announce
from rqd.report.backoff import backoff
from rqd.report.cuebot import CuebotClient, IReactorReports
from rqd.report.heartbeat import Heartbeat
from rqd.report.interface import ReportInterface
from rqd.report.outbox import Outbox
from rqd.report.presence import Presence
from rqd.report.shelf import Fetch
from rqd.report.telling import Telling

if TYPE_CHECKING:
    from rqd.config.settings import Settings

#: How long the completions of killed frames are tried before a departure goes on, seconds.
DELIVERY_PATIENCE = 30.0
#: How long Cuebot may take to hear of the departure itself, seconds.
TELLING_PATIENCE = 2.0


class Sending:
    """The startup report, the status reports and the completions, over one client."""

    log = Logger()

    def __init__(
        self,
        settings: Settings,
        *,
        reactor: IReactorReports,
        telling: Telling,
        fetch: Fetch,
        settled: Callable[[str], object],
    ) -> None:
        """``settled`` is told the key of each completion that Cuebot took; ``fetch`` as there."""
        machine, grpc = settings.machine, settings.grpc
        self._reactor = reactor
        slow = backoff(grpc, at_most=grpc.backoff_delay_max)
        self._client = CuebotClient(reactor=reactor, settings=grpc)
        cuebot = ReportInterface(
            self._client, completion_timeout=machine.frame_complete_send_timeout
        )
        self.outbox = Outbox(
            reactor=reactor,
            send=cuebot.completion,
            fetch=fetch,
            settle=settled,
            probe_backoff=backoff(grpc, at_most=machine.frame_complete_delivery_interval),
            refusal_backoff=slow,
        )
        self._presence = Presence(
            reactor=reactor,
            announce=lambda: Deferred.fromCoroutine(
                announce(reactor=reactor, build=telling.boot, send=cuebot.startup, backoff=slow)
            ),
            heartbeat=Heartbeat(
                reactor=reactor,
                build=telling.status,
                send=cuebot.status,
                interval=machine.monitor_interval,
                backoff=slow,
            ),
        )

    def start(self) -> None:
        """Make the host known. Completions go out as they are posted, also before."""
        self._presence.start()

    def changed(self) -> None:
        """Something that reports tell is another now: a report follows soon."""
        self._presence.changed()

    @property
    def cuebot_answers(self) -> bool | None:
        """Whether the last call was answered; None before the first."""
        return self._client.answers

    def turn_to(self, endpoints: Sequence[str]) -> None:
        """Report to other Cuebots from now on."""
        self._client.turn_to(endpoints)

    def pace(self, interval: float) -> None:
        """Seconds between status reports."""
        self._presence.pace(interval)

    def told(self) -> Deferred[None]:
        """Fire once Cuebot took a status report of what is so now; may take as long as Cuebot."""
        return self._presence.told()

    def deliver(self) -> Deferred[object]:
        """Before a departure: let Cuebot hear of it, and of every frame that has ended."""
        return Deferred.fromCoroutine(self._deliver())

    async def _deliver(self) -> None:
        told = within(self.told(), TELLING_PATIENCE, reactor=self._reactor)
        told.addErrback(lambda failure: failure.trap(TooLate) and None)
        delivered = await self.outbox.drain(DELIVERY_PATIENCE)
        await told
        if not delivered:
            self.log.warn("leaving with undelivered completions, they stay on disk")

    def stop(self) -> Deferred[None]:
        """Send nothing more; fires within a bounded time."""
        self._presence.stop()
        self.outbox.stop()
        return self._client.stop()
