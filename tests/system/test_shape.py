"""What the host has to offer, as found and as overridden."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rqd.config.settings import MachineSettings, OverrideRealValues
from rqd.system.shape import HostShape, host_shape
from rqd.system.topology import Topology, parse_cpuinfo
from rqd.system.usable import UsableProcessors
from tests.system.fake_proc import cpuinfo

TWO_BY_FOUR = parse_cpuinfo(cpuinfo([[2] * 4, [2] * 4]))


def shape(
    topology: Topology = TWO_BY_FOUR,
    *,
    cores: int | None = None,
    procs: int | None = None,
    core_multiplier: int = 100,
    quota: int | None = None,
) -> HostShape:
    """The shape of a host with these settings."""
    machine = MachineSettings(
        core_multiplier=core_multiplier,
        override_real_values=OverrideRealValues(cores=cores, procs=procs),
    )
    return host_shape(machine, UsableProcessors(topology, topology, quota))


class HostShapeTests(SynchronousTestCase):
    """``host_shape``."""

    def test_real(self) -> None:
        """Physical cores count, hyper-threads don't."""
        self.assertEqual(shape(), HostShape(2, 400))
        self.assertEqual(shape().total_points, 800)

    def test_multiplier(self) -> None:
        """The multiplier says how many points a core is worth."""
        self.assertEqual(shape(core_multiplier=150), HostShape(2, 600))

    def test_overrides(self) -> None:
        """Overridden cores are those of the host, spread over its sockets, real or overridden."""
        self.assertEqual(shape(cores=64), HostShape(2, 3200))
        self.assertEqual(shape(procs=4), HostShape(4, 200))
        self.assertEqual(shape(cores=64, procs=1), HostShape(1, 6400))
        self.assertEqual(shape(cores=1, procs=4), HostShape(4, 25))

    def test_uneven(self) -> None:
        """Sockets that differ are reported by their mean, which loses no point."""
        self.assertEqual(shape(parse_cpuinfo(cpuinfo([[1] * 4, [1] * 3]))), HostShape(2, 350))

    def test_quota(self) -> None:
        """A quota of processor time caps the cores, and is worth the points of as many."""
        self.assertEqual(shape(quota=350), HostShape(2, 175))
        self.assertEqual(shape(quota=1600), HostShape(2, 400))
        self.assertEqual(shape(quota=200, core_multiplier=150), HostShape(2, 150))

    def test_override_over_quota(self) -> None:
        """Cores that are overridden are offered, whatever the quota."""
        self.assertEqual(shape(cores=64, quota=100), HostShape(2, 3200))
        self.assertEqual(shape(procs=1, quota=100), HostShape(1, 100))

    def test_no_core_at_all(self) -> None:
        """A topology that was narrowed to nothing offers nothing."""
        self.assertEqual(shape(Topology(())), HostShape(1, 0))

    @given(st.integers(1, 500), st.integers(1, 16), st.integers(1, 400))
    def test_never_more_than_there_is(self, cores: int, procs: int, multiplier: int) -> None:
        """Rounding costs less than a point a socket, and never invents one."""
        total = shape(cores=cores, procs=procs, core_multiplier=multiplier).total_points
        self.assertTrue(0 <= cores * multiplier - total < procs)
