"""The agent as a service of systemd, put together; imported only where systemd listens."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from rqd.host.departures import KILL_MARGIN
from rqd.host.running import Runner
from rqd.report.sending import DELIVERY_PATIENCE, TELLING_PATIENCE
from rqd.systemd.attendant import Attendant, Situation, Work
from rqd.systemd.notify import Notifier

if TYPE_CHECKING:
    from rqd.assembly.ground import Ground
    from rqd.frame.roster import Roster
    from rqd.host.departures import Departures
    from rqd.report.sending import Sending
    from rqd.system.reservations import Ledger

#: How long the stop of the agent itself may take, all its patience added up, seconds.
STOP_PATIENCE = 20.0


def attendant(
    socket: str,
    ground: Ground,
    ledger: Ledger,
    roster: Roster,
    *,
    sending: Sending,
    departures: Departures,
) -> Attendant:
    """Speak to ``socket``."""

    def situation() -> Situation:
        return Situation(
            len(roster.all()), ledger.counts(), sending.cuebot_answers, sending.outbox.waiting
        )

    grace = ground.settings.runner.kill_monitor_timeout
    patience = grace + KILL_MARGIN + DELIVERY_PATIENCE + TELLING_PATIENCE + STOP_PATIENCE
    return Attendant(
        Notifier(socket),
        Work(situation, departures.wind_up, patience),
        reactor=ground.reactor,
        runner=Runner(reactor=ground.reactor, processes=ground.processes, environ=os.environ),
    )
