"""How many sockets and points the host has to offer: real values and their overrides."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from rqd.system.usable import UsableProcessors

if TYPE_CHECKING:
    from rqd.config.settings import MachineSettings


class HostShape(NamedTuple):
    """What the host's reports say of its processors; Cuebot multiplies the two."""

    num_procs: int
    cores_per_proc: int
    """Points of one socket: 100 is one core."""

    @property
    def total_points(self) -> int:
        """What the ledger may give away: exactly what Cuebot believes to be there."""
        return self.num_procs * self.cores_per_proc


def host_shape(machine: MachineSettings, processors: UsableProcessors) -> HostShape:
    """The shape to report.

    ``override_real_values.cores`` is the cores of the whole host, ``.procs`` the sockets
    over which they are spread. Sockets need not be even but Cuebot knows one number for
    all of them: the mean is taken in points, so that 7 cores on 2 sockets are 2 x 350.
    What does not divide is lost (10 cores on 3 sockets are 999 points), because points
    that do not exist must never be offered.
    """
    sockets = machine.override_real_values.procs or max(1, processors.counted.sockets)
    return HostShape(sockets, _points(machine, processors) // sockets)


def _points(machine: MachineSettings, processors: UsableProcessors) -> int:
    """Points of all cores. A quota of processor time buys as many cores, if there are as many.

    So ``docker run --cpus 4`` is four cores, whether or not they have hyper-threads: a frame on
    one core that is busy all the time needs the time of one processor.
    """
    override = machine.override_real_values.cores
    points = (override or len(processors.counted.cores)) * machine.core_multiplier
    if override or processors.quota is None:
        return points
    return min(points, processors.quota * machine.core_multiplier // 100)
