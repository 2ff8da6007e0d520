"""A frame's usage over many passes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rqd.system.processes import ProcessSample
from rqd.system.usage import EMPTY_USAGE, FrameUsage, accumulate

NOW = 1_700_000_000.0
OLD = ProcessSample(
    pid=7,
    name="render",
    state="R",
    cmdline="render",
    started=NOW - 1000,
    cpu_seconds=100.0,
    rss=100,
    vsize=1000,
    pss=80,
    swap=5,
)


def after(*processes: ProcessSample, seconds: float = 10.0) -> FrameUsage:
    """The usage of a frame that was ``OLD`` before and is these processes now."""
    before = accumulate(EMPTY_USAGE, [OLD], seconds=0.0, now=NOW - seconds)
    return accumulate(before, processes, seconds=seconds, now=NOW)


class MemoryTests(SynchronousTestCase):
    """Memory."""

    def test_sums(self) -> None:
        """A frame uses what its processes use together."""
        usage = after(OLD, OLD._replace(pid=8, rss=1, vsize=2, pss=3, swap=4))
        self.assertEqual((usage.rss, usage.vsize, usage.pss, usage.swap), (101, 1002, 83, 9))
        self.assertEqual([process.pid for process in usage.processes], [7, 8])

    def test_marks_stay(self) -> None:
        """High-water marks keep the most that was used."""
        usage = after(OLD._replace(rss=1, vsize=2, pss=3))
        self.assertEqual((usage.rss, usage.vsize, usage.pss), (1, 2, 3))
        self.assertEqual((usage.max_rss, usage.max_vsize, usage.max_pss), (100, 1000, 80))

    def test_idle(self) -> None:
        """Where nothing happened the usage is the same object, with all that was said of it."""
        before = accumulate(EMPTY_USAGE, [OLD], seconds=0.0, now=NOW)
        idle = accumulate(before, [OLD], seconds=5.0, now=NOW)
        idle.remember(b"said")
        self.assertEqual(idle.pcpu, 0.0)
        self.assertIs(accumulate(idle, [OLD], seconds=5.0, now=NOW), idle)
        self.assertIsNone(accumulate(idle, [OLD._replace()], seconds=5.0, now=NOW).told)

    def test_unseen(self) -> None:
        """A pass that saw nothing changes nothing."""
        usage = after(OLD)
        self.assertEqual(accumulate(usage, [], seconds=5.0, now=NOW), usage)
        self.assertEqual(accumulate(EMPTY_USAGE, [], seconds=0.0, now=NOW), EMPTY_USAGE)


class CpuTests(SynchronousTestCase):
    """Cores in use."""

    def test_difference(self) -> None:
        """CPU time since the last pass, by the time that passed."""
        self.assertAlmostEqual(after(OLD._replace(cpu_seconds=125.0)).pcpu, 2.5)

    def test_idle(self) -> None:
        """One that does nothing uses nothing."""
        self.assertEqual(after(OLD).pcpu, 0.0)

    def test_new_process(self) -> None:
        """A process that began since the last pass counts from its start."""
        child = OLD._replace(pid=8, started=NOW - 4, cpu_seconds=4.0)
        self.assertAlmostEqual(after(OLD, child).pcpu, 0.4)

    def test_first_pass(self) -> None:
        """At first sight a process counts by its average, as after a restart of the agent."""
        usage = accumulate(EMPTY_USAGE, [OLD], seconds=0.0, now=NOW)
        self.assertAlmostEqual(usage.pcpu, 0.1)

    def test_start_in_the_future(self) -> None:
        """A start time that rounding put past the present does no harm."""
        child = OLD._replace(started=NOW + 1, cpu_seconds=0.5)
        self.assertAlmostEqual(accumulate(EMPTY_USAGE, [child], seconds=0.0, now=NOW).pcpu, 0.5)

    def test_short_lived_children(self) -> None:
        """Children that no pass saw count through the parent that waited for them."""
        self.assertAlmostEqual(after(OLD._replace(reaped_seconds=20.0)).pcpu, 2.0)

    def test_children_that_were_seen(self) -> None:
        """Children that were counted while they lived are not counted again when they end."""
        child = OLD._replace(pid=8, cpu_seconds=50.0)
        before = accumulate(EMPTY_USAGE, [OLD, child], seconds=0.0, now=NOW)
        parent = OLD._replace(reaped_seconds=53.0)
        usage = accumulate(before, [parent], seconds=10.0, now=NOW + 10)
        self.assertAlmostEqual(usage.pcpu, 0.3)

    def test_ended_unnoticed(self) -> None:
        """A process that ended and was reaped elsewhere takes nothing off the others."""
        other = OLD._replace(pid=8, cpu_seconds=50.0)
        before = accumulate(EMPTY_USAGE, [OLD, other], seconds=0.0, now=NOW)
        busy = OLD._replace(cpu_seconds=110.0)
        self.assertAlmostEqual(accumulate(before, [busy], seconds=10.0, now=NOW + 10).pcpu, 1.0)

    def test_never_negative(self) -> None:
        """Times that went back, or a reused pid, never make it negative."""
        self.assertEqual(after(OLD._replace(cpu_seconds=1.0)).pcpu, 0.0)
        self.assertGreater(after(OLD._replace(started=NOW - 1, cpu_seconds=1.0)).pcpu, 0.0)


class AnyPassesTests(SynchronousTestCase):
    """Random lives of a frame."""

    numbers = st.integers(0, 10**9)
    processes = st.builds(
        ProcessSample,
        pid=st.integers(1, 4),
        name=st.just("x"),
        state=st.just("S"),
        cmdline=st.just("x"),
        started=st.sampled_from([NOW - 60, NOW - 1, NOW + 2]),
        cpu_seconds=st.floats(0, 1e6),
        rss=numbers,
        vsize=numbers,
        pss=numbers,
        swap=numbers,
        reaped_seconds=st.floats(0, 1e6),
    )
    passes = st.lists(st.tuples(st.lists(processes, max_size=4), st.floats(0, 100)), max_size=6)

    @given(passes)
    def test_marks_never_fall(self, passes: list[tuple[list[ProcessSample], float]]) -> None:
        """Marks only rise and cover the present; nothing is negative."""
        usage = EMPTY_USAGE
        for processes, seconds in passes:
            last, usage = usage, accumulate(usage, processes, seconds=seconds, now=NOW)
            for now, most, before in (
                (usage.rss, usage.max_rss, last.max_rss),
                (usage.pss, usage.max_pss, last.max_pss),
                (usage.vsize, usage.max_vsize, last.max_vsize),
            ):
                self.assertEqual(most, max(now, before))
            self.assertGreaterEqual(usage.pcpu, 0.0)
