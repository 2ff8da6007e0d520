"""What every room stands on: there before the others, and the last to end."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from twisted.internet.interfaces import IReactorFDSet

from rqd.ending import IEndingReactor
from rqd.frame.spawning import SessionSpawner
from rqd.logging.mounts import IWorkersReactor, MountWorkers
from rqd.logging.mounttable import MountTable
from rqd.logging.wakeups import Wakeups
from rqd.report.cuebot import IReactorReports
from rqd.system.home import find_home
from rqd.system.network import SystemNames, report_name
from rqd.system.ownprocessor import OwnProcessor

if TYPE_CHECKING:
    from rqd.config import Settings

#: How long a stop waits for disk work that is under way, seconds.
DISK_PATIENCE = 5.0


class IAgentReactor(IReactorReports, IWorkersReactor, IReactorFDSet, IEndingReactor):
    """What the agent needs of the reactor."""


class Ground:
    """The settings as they were at the start, the reactor, workers, the host's name."""

    def __init__(self, settings: Settings, *, reactor: IAgentReactor) -> None:
        self.settings = settings
        self.reactor = reactor
        self.name = report_name(
            settings.machine, SystemNames(listening_on=settings.grpc.rqd_interface)
        )
        self.home = find_home(os.environ)
        self.table = MountTable()
        self.processor = OwnProcessor()
        self.workers = MountWorkers(reactor=reactor, table=self.table, roam=self.processor.roam)
        self.wakeups = Wakeups(reactor=reactor)
        self.processes = SessionSpawner(reactor, self.processor.everywhere)

    async def stop(self) -> None:
        """Once nobody asks for disk work any more."""
        await self.workers.stop(DISK_PATIENCE)
        self.wakeups.stop()
