"""What acts on the host's standing, put together, with its order of start and stop."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from rqd.frame.roster import Roster
from rqd.frame.spawning import Spawner
from rqd.host.commands import machine_commands
from rqd.host.departures import Departures, Surroundings
from rqd.host.kept import KeptStanding
from rqd.host.logins import at_display
from rqd.host.nimby import Nimby, NimbyTerms
from rqd.host.running import Runner
from rqd.logging.interfaces import IWorkers
from rqd.system.nimby import IActivityDetector, NoDetector
from rqd.system.nimby_file import FileDetector

if TYPE_CHECKING:
    from rqd.config.settings import MachineSettings, Settings


class HostRoom:
    """NIMBY and departures, from ``start`` to ``stop``."""

    def __init__(
        self,
        settings: Settings,
        standing: KeptStanding,
        frames: Roster,
        *,
        reactor: IReactorTime,
        workers: IWorkers,
        processes: Spawner,
        has_room: Callable[[], bool],
        deliver: Callable[[], Deferred[object]],
        stop: Callable[[], None],
    ) -> None:
        """``has_room``, ``deliver``, ``stop``: see ``Nimby`` and ``departures.Surroundings``.

        Raises ValueError for a command that must not be run.
        """
        self.standing = standing
        self.nimby = Nimby(
            detector(settings.machine, reactor=reactor, workers=workers),
            NimbyTerms(
                idle_threshold=settings.machine.nimby_idle_threshold,
                retry_interval=settings.machine.nimby_start_retry_interval,
            ),
            standing,
            reactor=reactor,
            end_frames=frames.yield_to_user,
            has_room=has_room,
        )
        around = Surroundings(
            at_display=partial(workers.run_for, "logins", at_display),
            user_active=lambda: self.nimby.active,
            deliver=deliver,
            stop=stop,
            grace=settings.runner.kill_monitor_timeout,
        )
        self.departures = Departures(
            machine_commands(settings.machine, os.environ),
            standing,
            frames,
            around,
            reactor=reactor,
            runner=Runner(reactor=reactor, processes=processes, environ=os.environ),
        )

    def start(self) -> None:
        """Watch the user, and go on to wait for what was asked before."""
        self.nimby.begin()
        self.departures.resume()

    def stop(self) -> Deferred[None]:
        """Watch nobody; fires, within 1 s, once everything is on disk."""
        self.nimby.stop()
        return self.standing.kept()


def detector(
    machine: MachineSettings, *, reactor: IReactorTime, workers: IWorkers
) -> IActivityDetector:
    """What notices the user here."""
    if machine.nimby_activity_file is None:
        return NoDetector()
    return FileDetector(
        machine.nimby_activity_file,
        reactor=reactor,
        in_worker=partial(workers.run_for, "activity"),
    )
