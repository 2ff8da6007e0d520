"""How many sockets and points the host has to offer: real values and their overrides."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from rqd.system.topology import Topology

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


def host_shape(machine: MachineSettings, topology: Topology) -> HostShape:
    """The shape to report.

    ``override_real_values.cores`` is the cores of the whole host, ``.procs`` the sockets
    over which they are spread. Sockets need not be even but Cuebot knows one number for
    all of them: the mean is taken in points, so that 7 cores on 2 sockets are 2 x 350.
    What does not divide is lost (10 cores on 3 sockets are 999 points), because points
    that do not exist must never be offered.
    """
    override = machine.override_real_values
    cores = override.cores or len(topology.cores)
    sockets = override.procs or max(1, topology.sockets)
    return HostShape(sockets, cores * machine.core_multiplier // sockets)
