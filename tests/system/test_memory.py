"""Memory and swap, in KiB."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rqd.system.memory import MemorySample, parse_meminfo, read_memory
from tests.system.fake_proc import FakeProc

MODERN = """MemTotal:       1000000 kB
MemFree:         100000 kB
MemAvailable:    600000 kB
Buffers:          10000 kB
Cached:          500000 kB
SwapTotal:        80000 kB
SwapFree:         70000 kB
HugePages_Total:       0
"""
OLD = """MemTotal:       1000000 kB
MemFree:         100000 kB
Buffers:          10000 kB
Cached:          500000 kB
Shmem:            50000 kB
SReclaimable:     20000 kB
"""


class ReadMemoryTests(SynchronousTestCase):
    """``read_memory``."""

    def setUp(self) -> None:
        self.proc = FakeProc(self.mktemp())

    def read(self, text: str, override: int | None = None) -> MemorySample:
        """Sample a host with this ``meminfo``."""
        self.proc.write("meminfo", text)
        return read_memory(self.proc.root, override_total=override)

    def overridden(self, total: int) -> tuple[int, int]:
        """Total and free memory where the size is overridden by so many KiB."""
        sample = self.read(MODERN, total * 1024)
        return sample.total, sample.free

    def test_available(self) -> None:
        """Free memory is what the kernel says that programs can have."""
        self.assertEqual(self.read(MODERN), MemorySample(1000000, 600000, 80000, 70000))

    def test_without_estimate(self) -> None:
        """Without the kernel's estimate it is free plus reclaimable, less shared memory."""
        self.assertEqual(self.read(OLD), MemorySample(1000000, 580000, 0, 0))

    def test_never_out_of_bounds(self) -> None:
        """Free is never below nothing nor above the total."""
        self.assertEqual(self.read("MemTotal: 10 kB\nMemAvailable: 20 kB\n").free, 10)
        self.assertEqual(self.read("MemTotal: 10 kB\nShmem: 20 kB\n").free, 0)

    def test_no_size(self) -> None:
        """A file that tells no size is refused by name."""
        self.assertIn(self.proc.root, str(self.assertRaises(ValueError, self.read, "x\n")))

    @settings(deadline=None)
    @given(st.binary(max_size=300))
    def test_any_text(self, text: bytes) -> None:
        """Whatever follows the size, free is within total."""
        found = parse_meminfo(b"MemTotal: 10 kB\n" + text)
        self.assertTrue(all(number >= 0 for number in found.values()))
        path = FakeProc(self.mktemp())
        path.write("meminfo", b"MemTotal: 10 kB\n" + text)
        sample = read_memory(path.root)
        self.assertTrue(0 <= sample.free <= sample.total)
        self.assertTrue(0 <= sample.free_swap <= sample.total_swap)

    def test_override(self) -> None:
        """Another size leaves free what is not used, and at least nothing."""
        self.assertEqual(self.overridden(2000000), (2000000, 1600000))
        self.assertEqual(self.overridden(500000), (500000, 100000))
        self.assertEqual(self.overridden(300000), (300000, 0))
