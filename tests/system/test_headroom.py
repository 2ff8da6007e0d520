"""Whether there is room for frames on a workstation that its user has left."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from rqd.system.headroom import has_room
from rqd.system.reservations import CoreCounts
from tests.report.facts import host_sample


class HeadroomTests(SynchronousTestCase):
    """``has_room`` of a host of four cores."""

    def room(self, *, free: int = 50, load: int = 0, booked: int = 0) -> bool:
        sample = host_sample(total_mem=100, free_mem=free, load=load)
        return has_room(sample, CoreCounts(400, 400 - booked, 0, booked))

    def test_memory(self) -> None:
        """A tenth of the memory has to be free."""
        self.assertTrue(self.room(free=10))
        self.assertFalse(self.room(free=9))

    def test_load(self) -> None:
        """A host whose cores are all busy has none, unless they are with frames."""
        self.assertTrue(self.room(load=399))
        self.assertFalse(self.room(load=400))
        self.assertTrue(self.room(load=400, booked=400))
        self.assertFalse(self.room(load=800, booked=400))
