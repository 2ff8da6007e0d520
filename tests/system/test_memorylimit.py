"""Limits of memory and swap, in trees of both versions."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rqd.system.enclosing import enclosing_groups
from rqd.system.memory import MemorySample, read_memory
from rqd.system.memorylimit import UNBOUND, Bound, Bounds, read_bounds
from tests.system.fake_groups import FakeGroups
from tests.system.fake_proc import FakeProc

MIB = 1024 * 1024
#: What version 1 writes for no limit.
NO_LIMIT = 9223372036854771712


def kib(total: int, free: int) -> Bound:
    """A bound, given in MiB."""
    return Bound(total * 1024, free * 1024)


def statistics(**numbers: int) -> str:
    """``memory.stat``, given in MiB."""
    return "\n".join(f"{name} {number * MIB}" for name, number in numbers.items())


class BoundsCase(SynchronousTestCase):
    """Made-up groups of the ``memory`` controller."""

    def setUp(self) -> None:
        self.groups = FakeGroups(self.mktemp())

    def bounds(self) -> Bounds:
        return read_bounds(enclosing_groups("memory", proc_root=self.groups.proc_root))

    def version_2(self, path: str, limit: object, used: int, **numbers: int) -> None:
        """A group of version 2; all in MiB but a limit that is text."""
        self.groups.write(
            path,
            {
                "memory.max": limit * MIB if isinstance(limit, int) else limit,
                "memory.current": used * MIB,
                "memory.stat": statistics(anon=1, file=77, shmem=5, **numbers),
            },
        )

    def version_1(self, limit: int, used: int, **numbers: int) -> None:
        """The one group of version 1 that a container sees; in MiB."""
        self.groups.write(
            "memory",
            {
                "memory.limit_in_bytes": NO_LIMIT if limit < 0 else limit * MIB,
                "memory.usage_in_bytes": used * MIB,
                "memory.stat": statistics(cache=77, active_file=1, **numbers),
            },
        )


class Version2Tests(BoundsCase):
    """``memory.max`` and its like."""

    def test_container(self) -> None:
        """Free is the limit less what is used, where files' pages and kernel caches are not."""
        self.groups.unified("/")
        self.version_2(
            "unified", 8192, 3000, active_file=500, inactive_file=400, slab_reclaimable=100
        )
        self.assertEqual(self.bounds(), Bounds(memory=(kib(8192, 6192),)))

    def test_no_limit(self) -> None:
        """``max`` binds nothing, and neither does a group without the controller."""
        self.groups.unified("/a/b")
        self.version_2("unified/a/b", "max", 5)
        self.assertEqual(self.bounds(), UNBOUND)

    def test_groups_above(self) -> None:
        """Each group up to what can be seen is a bound of its own, with its own use."""
        self.groups.unified("/pods/pod")
        self.version_2("unified/pods/pod", 8192, 1024)
        self.version_2("unified/pods", 16384, 15360)
        self.assertEqual(self.bounds().memory, (kib(8192, 7168), kib(16384, 1024)))

    def test_over_the_limit(self) -> None:
        """A limit that was lowered below what is used leaves nothing, not less."""
        self.groups.unified("/")
        self.version_2("unified", 100, 200)
        self.assertEqual(self.bounds().memory, (kib(100, 0),))

    def test_more_reclaimable_than_used(self) -> None:
        """Numbers of two moments don't make more free than there is."""
        self.groups.unified("/")
        self.version_2("unified", 100, 20, inactive_file=30)
        self.assertEqual(self.bounds().memory, (kib(100, 100),))

    def test_swap(self) -> None:
        """Swap has a limit of its own; 0 is none of it."""
        self.groups.unified("/")
        self.version_2("unified", "max", 20)
        self.groups.write("unified", {"memory.swap.max": 0, "memory.swap.current": 0})
        self.assertEqual(self.bounds(), Bounds(swap=(Bound(0, 0),)))
        self.groups.write("unified", {"memory.swap.max": 50 * MIB, "memory.swap.current": MIB})
        self.assertEqual(self.bounds().swap, (kib(50, 49),))


class Version1Tests(BoundsCase):
    """``memory.limit_in_bytes`` and its like."""

    def setUp(self) -> None:
        super().setUp()
        self.groups.version_1("memory", "/docker/0abc", root="/docker/0abc")

    def test_container(self) -> None:
        """The same from other files; sums over the groups below are what counts."""
        self.version_1(4096, 2000, total_active_file=300, total_inactive_file=200)
        self.assertEqual(self.bounds(), Bounds(memory=(kib(4096, 2596),)))

    def test_no_limit(self) -> None:
        """The enormous number is no limit."""
        self.version_1(-1, 2000)
        self.assertEqual(self.bounds(), UNBOUND)

    def test_limit_above_what_is_seen(self) -> None:
        """The kernel tells the tightest limit of the groups above, also of those not mounted."""
        self.version_1(-1, 500, hierarchical_memory_limit=2048)
        self.assertEqual(self.bounds().memory, (kib(2048, 1548),))

    def test_swap(self) -> None:
        """What is limited is the sum of memory and swap."""
        self.version_1(1000, 500)
        self.groups.write("memory", {"memory.memsw.limit_in_bytes": 3000 * MIB})
        self.groups.write("memory", {"memory.memsw.usage_in_bytes": 700 * MIB})
        self.assertEqual(self.bounds().swap, (kib(2000, 1800),))

    def test_no_limit_of_swap(self) -> None:
        """Without a limit of the sum there is none of swap."""
        self.version_1(1000, 500)
        self.groups.write("memory", {"memory.memsw.limit_in_bytes": NO_LIMIT})
        self.groups.write("memory", {"memory.memsw.usage_in_bytes": 700 * MIB})
        self.assertEqual(self.bounds().swap, ())


class ForeignTextTests(BoundsCase):
    """Files that no kernel wrote."""

    @settings(deadline=None)
    @given(st.tuples(*[st.one_of(st.binary(max_size=30), st.just(b"9" * 5000))] * 4))
    def test_any_text(self, texts: tuple[bytes, ...]) -> None:
        """Nonsense never raises and never makes a negative number."""
        names = ("max", "current", "swap.max", "swap.current")
        groups = FakeGroups(self.mktemp())
        groups.unified("/")
        for name, text in zip(names, texts, strict=True):
            with open(groups.folder(f"unified/memory.{name}"), "wb") as file:
                file.write(text)
        found = read_bounds(enclosing_groups("memory", proc_root=groups.proc_root))
        for bound in (*found.memory, *found.swap):
            self.assertTrue(0 <= bound.free <= bound.total)


class BoundMemoryTests(SynchronousTestCase):
    """``read_memory`` within bounds, on a machine of 1,000,000 KiB of which 600,000 are free."""

    def read(self, *bounds: Bound, swap: Bound | None = None) -> MemorySample:
        proc = FakeProc(self.mktemp())
        proc.write("meminfo", "MemTotal: 1000000 kB\nMemAvailable: 600000 kB\nSwapTotal: 800 kB\n")
        return read_memory(
            proc.root,
            override_total=self.override,
            bounds=Bounds(bounds, () if swap is None else (swap,)),
        )

    override: int | None = None

    def test_limit(self) -> None:
        """The limit is the total, and what it leaves is free."""
        sample = self.read(Bound(200000, 150000))
        self.assertEqual((sample.total, sample.free), (200000, 150000))

    def test_machine_is_fuller(self) -> None:
        """What the machine doesn't have is not free, whatever the limit leaves."""
        sample = self.read(Bound(900000, 850000))
        self.assertEqual((sample.total, sample.free), (900000, 600000))

    def test_several(self) -> None:
        """The tightest limit is the total; the group with the least left says what is free."""
        sample = self.read(Bound(200000, 150000), Bound(500000, 1000))
        self.assertEqual((sample.total, sample.free), (200000, 1000))

    def test_limit_above_the_machine(self) -> None:
        """A limit that the machine can't reach is none."""
        sample = self.read(Bound(2000000, 5))
        self.assertEqual((sample.total, sample.free), (1000000, 600000))

    def test_override(self) -> None:
        """An overridden size is less what is used within the limit."""
        self.override = 300000 * 1024
        sample = self.read(Bound(200000, 150000))
        self.assertEqual((sample.total, sample.free), (300000, 250000))

    def test_swap(self) -> None:
        """Swap is bound alike, and the machine's own where it has less."""
        self.assertEqual(self.read(swap=Bound(0, 0)).total_swap, 0)
        self.assertEqual(self.read(swap=Bound(500, 400)).total_swap, 500)
        self.assertEqual(self.read(swap=Bound(5000, 400)).total_swap, 800)


class ThisMachineTests(SynchronousTestCase):
    """The real files."""

    def test_consistent(self) -> None:
        """Within its bounds the machine has no more than without, and free is within total."""
        whole = read_memory("/proc")
        bounds = read_bounds(enclosing_groups("memory"))
        bound = read_memory("/proc", bounds=bounds)
        self.assertTrue(0 < bound.total <= whole.total)
        self.assertTrue(0 <= bound.free <= bound.total)
        self.assertTrue(0 <= bound.free_swap <= bound.total_swap <= whole.total_swap)
        for each in bounds.memory:
            self.assertGreaterEqual(each.total, bound.total)
            self.assertTrue(0 <= each.free <= each.total)
