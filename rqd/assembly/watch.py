"""The watch over frames: what they use, once a tick, and what follows from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred, succeed

from rqd.frame.highwater import HighWater
from rqd.frame.protection import MemoryProtection
from rqd.system.gpuusage import GpuUsage
from rqd.system.processes import ProcessReader
from rqd.system.sampler import Sampler
from rqd.system.sampling import Sampling

if TYPE_CHECKING:
    from rqd.assembly.ground import Ground
    from rqd.assembly.machine import Machine
    from rqd.frame.members import IMembers
    from rqd.frame.roster import Roster
    from rqd.system.usage import FrameUsage


class Watch:
    """Samples all frames in a worker, then lets look whom it concerns, at last ``then``."""

    def __init__(
        self, ground: Ground, machine: Machine, roster: Roster, *, then: Callable[[], object]
    ) -> None:
        settings = ground.settings
        self._workers = ground.workers
        self._processor = ground.processor
        self._machine = machine
        self._roster = roster
        self._then = then
        self._sampler = Sampler(ProcessReader())
        self._gpu_usage = GpuUsage()
        self._sampling = Sampling(
            reactor=ground.reactor,
            interval=settings.machine.monitor_interval,
            measure=self._measure,
            deliver=self._sampled,
        )
        self.protection = MemoryProtection(
            settings.machine.memory_oom_margin_percentage,
            memory=machine.host.memory,
            frames=roster.all,
            monotonic=ground.reactor.seconds,
        )
        self._high_water = HighWater(
            settings.runner.snapshots_path,
            reactor=ground.reactor,
            workers=ground.workers,
            frames=roster.all,
        )

    def start(self) -> None:
        """Go on from what is known of the frames that were found."""
        for frame in self._roster.all():
            self._sampler.know(frame.key, frame.usage)
            self._gpu_usage.know(frame.key, frame.usage.max_gpu)
        self._sampling.start()

    def pace(self, interval: float) -> None:
        """Seconds between two ticks, from the next one on."""
        self._sampling.pace(interval)

    def stop(self) -> None:
        """While the frames are still known: what they have used is kept."""
        self._sampling.stop()
        self._high_water.keep()

    def _measure(self) -> Deferred[Mapping[str, FrameUsage]]:
        running = self._roster.running()
        if not running:  # no file is read then, so an idle agent needs to wake no worker
            return succeed(measure(self._sampler, running))
        return self._workers.run_for("sampling", measure, self._sampler, running)

    def _sampled(self, usages: Mapping[str, FrameUsage]) -> None:
        self._roster.sampled(self._gpu_usage.add(usages, self._machine.gpus.by_pid))
        self._machine.oom_kills.look()
        self._processor.look()
        self.protection.look()
        self._high_water.look()
        self._then()


def measure(sampler: Sampler, running: Mapping[str, IMembers]) -> Mapping[str, FrameUsage]:
    """In a worker: one pass over all processes for all frames, and the words for the reports."""
    from rqd.report.statistics import put_into_words

    usages = sampler.tick({key: members.membership() for key, members in running.items()})
    for usage in usages.values():
        put_into_words(usage)
    return usages
