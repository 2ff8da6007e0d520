"""The host that the agent runs on: what it offers, how it is."""

from __future__ import annotations

import os
from collections.abc import Set
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from twisted.internet.defer import Deferred, DeferredList

from rqd.frame.patience import within
from rqd.log import Logger
from rqd.system import oomkills
from rqd.system.cpuquota import read_cpu_quota
from rqd.system.cpuset import allowed_processors
from rqd.system.enclosing import enclosing_groups
from rqd.system.gpuwatch import GpuWatch
from rqd.system.headroom import has_room
from rqd.system.host import HostSampler
from rqd.system.nvml import NvmlDriver
from rqd.system.oomkills import OomKills
from rqd.system.reservations import Ledger
from rqd.system.shape import host_shape
from rqd.system.tempstorage import TempStorage
from rqd.system.usable import UsableProcessors, usable_processors

if TYPE_CHECKING:
    from rqd.assembly.ground import Ground
    from rqd.config.settings import MachineSettings

#: How long the startup report waits for the size of the temp storage, seconds.
TEMP_PATIENCE = 2.0
#: How long it waits for GPUs, seconds: Cuebot learns of them from that report only.
GPU_PATIENCE = 10.0


class FirstLooks(NamedTuple):
    """Each fires, and never fails, when it is over; they may hang."""

    temp: Deferred[None]
    gpus: Deferred[None]


class Machine:
    """Processors, memory, temp storage and GPUs; ``ledger`` says who has what of them."""

    log = Logger()

    def __init__(self, ground: Ground) -> None:
        machine, runner = ground.settings.machine, ground.settings.runner
        membership = ground.home.membership
        processors = usable_processors(
            machine.cpuinfo_path,
            affinity=affinity(membership),
            quota=read_cpu_quota(enclosing_groups("cpu", membership=membership)),
        )
        self.log.info(
            "processors cores={cores} threads={threads} quota={quota}",
            cores=len(processors.counted.cores),
            threads=len(processors.counted.threads),
            quota=processors.quota,
        )
        self._reactor = ground.reactor
        self.ledger = ledger(machine, processors)
        self._temp = TempStorage(
            machine.temp_path, in_worker=partial(ground.workers.run, machine.temp_path)
        )
        self.host = HostSampler(
            machine,
            processors,
            name=ground.name,
            temp_storage=self._temp,
            membership=membership,
            systems=runner.docker_images if runner.run_on_docker else (),
        )
        self.gpus = GpuWatch(
            NvmlDriver(),
            reactor=ground.reactor,
            run_for=ground.workers.run_for,
            interval=machine.monitor_interval,
            offer=self.ledger.offer_gpus,
        )
        self.oom_kills = OomKills(oomkills.counters(membership=membership))

    def start(self) -> FirstLooks:
        """Begin to look at what may hang."""
        return FirstLooks(self._temp.start(), self.gpus.start())

    def known(self, looks: FirstLooks) -> Deferred[None]:
        """Fire once there is enough to report, or after a moment.

        Without the size of the temp storage Cuebot sends us to repair. GPUs take their time only
        where there is a driver.
        """
        waits = [
            within(looks.temp, TEMP_PATIENCE, reactor=self._reactor),
            within(looks.gpus, GPU_PATIENCE, reactor=self._reactor).addErrback(self._late),
        ]
        return DeferredList(waits, consumeErrors=True).addCallback(lambda _: None)

    def _late(self, _: object) -> None:
        self.log.warn(
            "the GPU driver did not answer within {seconds:.0f} s: Cuebot is told of no GPUs, or"
            " too few, until the agent is started anew",
            seconds=GPU_PATIENCE,
        )

    def stop(self) -> None:
        self.gpus.stop()

    def has_room(self) -> bool:
        """Whether a host that its user has left can take frames again."""
        try:
            return has_room(self.host.sample(), self.ledger.counts())
        except (OSError, ValueError):
            self.log.failure("host can't be read, so it stays locked for its user")
            return False


def ledger(machine: MachineSettings, processors: UsableProcessors) -> Ledger:
    """Offer what is reported, and pin frames to processors that this process may use."""
    return Ledger(processors.pinnable, total=host_shape(machine, processors).total_points)


def affinity(membership: str) -> Set[int]:
    """The processors that the agent may use, and frames in their control group, too."""
    own = os.sched_getaffinity(0)
    theirs = allowed_processors(enclosing_groups("cpuset", membership=membership))
    return own & theirs if theirs is not None and own & theirs else own
