"""Who has to go when memory is short."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rqd.system.victims import Pressure, Tenant, choose

GIB = 1 << 20
HOUR = 3600.0
FRAME = Tenant("frame", pss=10 * GIB, swap=0, limit=5 * GIB, age=HOUR)


def keys(victims: list[Tenant]) -> list[str]:
    return [victim.key for victim in victims]


class PressureTests(SynchronousTestCase):
    """When is memory short, and by how much?"""

    def test_within(self) -> None:
        """At the margin all is well."""
        pressure = Pressure(total=100 * GIB, used=96 * GIB, margin=96)
        self.assertEqual((pressure.short, pressure.to_free), (False, 0))

    def test_passed(self) -> None:
        """Past it, as much has to go as leads to 5 % below."""
        pressure = Pressure(total=100 * GIB, used=97 * GIB, margin=96)
        self.assertEqual((pressure.short, pressure.to_free), (True, 6 * GIB))

    def test_low_margin(self) -> None:
        """No margin asks for more than all that is used."""
        pressure = Pressure(total=100 * GIB, used=4 * GIB, margin=3)
        self.assertEqual(pressure.to_free, 4 * GIB)

    def test_no_memory(self) -> None:
        """A host that tells nothing of its memory is not short of it."""
        self.assertFalse(Pressure(total=0, used=0, margin=96).short)


class ChooseTests(SynchronousTestCase):
    """The worst first, and no more than it takes."""

    def test_enough(self) -> None:
        """Only as many as free what is needed."""
        tenants = [FRAME._replace(key=name) for name in "abc"]
        self.assertEqual(len(choose(tenants, 15 * GIB)), 2)
        self.assertEqual(choose(tenants, 0), [])

    def test_within_limits(self) -> None:
        """Who keeps to its limit, or has none, stays, however large it is and short memory is."""
        innocent = [
            FRAME._replace(key="kept", pss=90 * GIB, limit=90 * GIB),
            FRAME._replace(key="unlimited", pss=90 * GIB, limit=0),
            FRAME._replace(key="odd", limit=-1),
        ]
        self.assertEqual(choose(innocent, 100 * GIB), [])
        self.assertEqual(keys(choose([*innocent, FRAME], 100 * GIB)), ["frame"])

    def test_impact(self) -> None:
        """Of two that are over by as many times, the larger goes."""
        small = FRAME._replace(key="small", pss=GIB, limit=GIB // 2)
        self.assertEqual(keys(choose([small, FRAME], GIB)), ["frame"])

    def test_excess(self) -> None:
        """Of two as large, the one that is over by more times goes."""
        worse = FRAME._replace(key="worse", limit=2 * GIB)
        self.assertEqual(keys(choose([FRAME, worse], GIB)), ["worse"])

    def test_youth(self) -> None:
        """Of two alike, the younger goes: less work is lost."""
        young = FRAME._replace(key="young", age=60.0)
        self.assertEqual(keys(choose([FRAME, young], GIB)), ["young"])

    def test_large_and_honest(self) -> None:
        """A large old frame that is hardly over outlives a smaller one that is far over."""
        large = FRAME._replace(key="large", pss=40 * GIB, limit=38 * GIB, age=10 * HOUR)
        liar = FRAME._replace(key="liar", limit=2 * GIB)
        self.assertEqual(keys(choose([large, liar], 8 * GIB)), ["liar"])

    def test_tiny(self) -> None:
        """One that is far over, but so small that its end would help nobody, is not the first."""
        tiny = FRAME._replace(key="tiny", pss=GIB // 4, limit=GIB // 16, age=0.0)
        self.assertEqual(keys(choose([tiny, FRAME], 8 * GIB)), ["frame"])

    def test_swapped_out(self) -> None:
        """What a frame has in swap counts against its limit, too, but its end frees no memory."""
        swapped = FRAME._replace(key="swapped", pss=4 * GIB, swap=4 * GIB)
        self.assertEqual(swapped.excess, 3 * GIB)
        self.assertEqual(keys(choose([swapped, FRAME], 12 * GIB)), ["frame", "swapped"])

    @given(
        st.lists(
            st.builds(
                Tenant,
                key=st.just("x"),
                pss=st.integers(0, 1 << 40),
                swap=st.integers(0, 1 << 40),
                limit=st.integers(-1, 1 << 40),
                age=st.floats(-10, 1e9),
            ),
            max_size=10,
        ),
        st.integers(-10, 1 << 42),
    )
    def test_any(self, tenants: list[Tenant], to_free: int) -> None:
        """Nobody within its limit goes; without the last victim it would not be enough."""
        victims = choose(tenants, to_free)
        self.assertTrue(all(0 < v.limit < v.pss + v.swap for v in victims))
        if victims:
            self.assertLess(sum(v.pss for v in victims[:-1]), to_free)
        if sum(v.pss for v in victims) < to_free:
            self.assertEqual(len(victims), sum(t.excess > 0 for t in tenants))
