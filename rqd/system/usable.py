"""Which of the machine's processors the agent may use: these it offers, to these it pins.

Frames inherit the agent's affinity, which the kernel keeps within its cpuset, and its control
groups. What they could never use must not be offered: Cuebot would book it.
"""

from __future__ import annotations

from collections.abc import Set
from typing import NamedTuple

from rqd.system.topology import Topology, read_topology

KERNELS_OWN = "/proc/cpuinfo"
"""The file that tells of the machine itself. Any other describes a host that someone made up."""


class UsableProcessors(NamedTuple):
    """What to count, and what to pin frames to. They differ where a host is made up."""

    counted: Topology
    pinnable: Topology
    quota: int | None = None
    """Processor time in points, 100 for that of one processor; None: as much as there is."""


def usable_processors(
    cpuinfo_path: str, *, affinity: Set[int], quota: int | None
) -> UsableProcessors:
    """Read the file and judge it; raises as ``read_topology`` does.

    ``affinity`` are the logical processors that this process may run on.
    """
    found = read_topology(cpuinfo_path)
    if cpuinfo_path == KERNELS_OWN:
        return of_this_machine(found, affinity, quota)
    return made_up(found, affinity)


def of_this_machine(found: Topology, affinity: Set[int], quota: int | None) -> UsableProcessors:
    """Count and pin what may be used.

    Where processors may be used that the file doesn't list, something (lxcfs) shows the container
    a file of its own, in which they are numbered anew. It shows no more than may be used then,
    but its numbers are good for nothing.
    """
    if affinity <= found.threads:
        within = found.within(affinity)
        return UsableProcessors(within, within, quota)
    return UsableProcessors(found, Topology(()), quota)


def made_up(found: Topology, affinity: Set[int]) -> UsableProcessors:
    """Count all that the file says; pin to processors that happen to be there, too."""
    return UsableProcessors(found, found.within(affinity))
