"""Whether a host that its user has left has room for frames again (pure)."""

from __future__ import annotations

from rqd.system.host import HostSample
from rqd.system.reservations import CoreCounts

#: Part of the memory that must be free: what the user left open stays.
FREE_MEMORY = 0.1


def has_room(sample: HostSample, counts: CoreCounts) -> bool:
    """A tenth of the memory is free, and not all cores are busy with what isn't a frame's.

    Frames that ignore NIMBY run on meanwhile: their cores are booked, and no sign of the user.
    """
    foreign_load = sample.load - counts.booked
    return sample.free_mem >= FREE_MEMORY * sample.total_mem and foreign_load < counts.total
