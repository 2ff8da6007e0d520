"""Whose pss is read when, and what stands in for it meanwhile."""

from __future__ import annotations

import os

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from rqd.system.procstat import read_beginning
from rqd.system.pss import Pss, PssTurns, shared_part
from tests.system.fake_proc import FakeProc

#: Seconds between two passes: 50 ms for readings.
INTERVAL = 5.0


class Readings(Pss):
    """A process whose readings take time, and are noted."""

    def __init__(self, folder: str, cost: float, case: PssCase) -> None:
        super().__init__(folder)
        self._cost, self._case = cost, case

    def read(self, turn: int) -> None:
        super().read(turn)
        self._case.cpu.advance(self._cost)
        self._case.noted.append(self)


class PssCase(SynchronousTestCase):
    """Passes over made-up processes."""

    def setUp(self) -> None:
        self.proc = FakeProc(self.mktemp())
        self.time, self.cpu = Clock(), Clock()
        self.turns = PssTurns(monotonic=self.time.seconds, cpu_time=self.cpu.seconds)
        self.noted: list[Pss] = []
        self.all: list[Pss] = []

    def process(self, rss: int = 10_000, pss: int | None = 8000, cost: float = 0.0) -> Readings:
        """One more."""
        pid = len(self.all) + 1
        self.proc.process(pid, pss=pss)
        process = Readings(f"{self.proc.root}/{pid}", cost, self)
        process.rss = rss
        self.all.append(process)
        return process

    def take(self) -> list[Pss]:
        """The next pass: who had a turn, in order."""
        self.noted.clear()
        self.turns.take(self.all)
        self.time.advance(INTERVAL)
        return list(self.noted)


class TurnsTests(PssCase):
    """Who is read."""

    def test_new(self) -> None:
        """Who was never read comes first."""
        first, second = self.process(), self.process()
        self.assertEqual(self.take(), [first, second])
        third = self.process()
        first.rss = 20_000
        self.assertEqual(self.take(), [third, first])

    def test_unchanged(self) -> None:
        """Who did not grow by much is left alone."""
        process = self.process()
        self.take()
        process.rss = 12_000
        self.assertEqual(self.take(), [])

    def test_grown(self) -> None:
        """Who grew is read again, who grew most first."""
        some, most = self.process(), self.process()
        self.take()
        some.rss, most.rss = 20_000, 30_000
        self.assertEqual(self.take(), [most, some])

    def test_each_in_turn(self) -> None:
        """All others have their turns, evenly spread: each within a minute, a few in each pass."""
        for _ in range(120):
            self.process()
        self.take()
        passes = [self.take() for _ in range(24)]
        self.assertLessEqual(max(map(len, passes)), 10)
        self.assertEqual({id(p) for turn in passes for p in turn}, {id(p) for p in self.all})

    def test_budget(self) -> None:
        """A pass spends what it may, and the rest waits for the next; nobody is forgotten."""
        for _ in range(30):
            self.process(cost=0.01)
        sizes = [len(self.take()) for _ in range(7)]
        self.assertLessEqual(max(sizes), 6)
        self.assertTrue(all(process.read_in for process in self.all))

    def test_debt(self) -> None:
        """A single reading that takes long is made up for by the passes that follow."""
        self.process(cost=0.2)
        self.take()
        small = self.process()
        self.assertEqual([self.take() for _ in range(4)], [[], [], [], [small]])

    def test_largest_debt(self) -> None:
        """However long it took: after a while, readings go on."""
        self.process(cost=60.0)
        self.take()
        small = self.process()
        self.assertIn([small], [self.take() for _ in range(11)])

    def test_pace(self) -> None:
        """What a pass may spend follows the time between passes, not their number."""
        for _ in range(10):
            self.process(cost=0.01)
        self.take()
        self.time.advance(0.1 - INTERVAL)
        self.assertEqual(len(self.take()), 1)


class ReadingTests(PssCase):
    """What is learned."""

    def test_estimate(self) -> None:
        """Between readings, growth is taken for the process's own; pss is never more than rss."""
        process = self.process()
        self.take()
        self.assertEqual(process.estimate(1.0), 8000)
        process.rss = 10_500
        self.assertEqual(process.estimate(1.0), 8500)
        process.rss = 4000
        self.assertEqual(process.estimate(1.0), 4000)

    def test_before_the_first(self) -> None:
        """Who was never read shares as much as the others of its frame."""
        known, fresh = self.process(pss=1000), self.process()
        self.turns.take([known])
        self.assertEqual(shared_part(self.all), 0.1)
        self.assertEqual(fresh.estimate(0.1), 1000)

    def test_nobody_read(self) -> None:
        """Where nobody was read yet, rss stands in: the upper bound."""
        self.process()
        self.assertEqual(shared_part(self.all), 1.0)
        self.assertEqual(shared_part([]), 1.0)

    def test_unreadable(self) -> None:
        """So it does where the kernel has no such file, or forbids it."""
        process = self.process(pss=None)
        self.take()
        self.assertEqual(process.estimate(0.1), 10_000)

    def test_without_memory(self) -> None:
        """A text that holds no pss is as good as none."""
        process = self.process()
        self.proc.write("1/smaps_rollup", "")
        self.take()
        self.assertEqual(process.estimate(0.1), 10_000)

    def test_vanished(self) -> None:
        """Of a process that has ended nothing is learned, and nobody minds."""
        process = Readings(f"{self.proc.root}/99", 0.0, self)
        process.rss = 10_000
        self.turns.take([process])
        self.assertIsNone(process.read_in)


class RealPssTests(SynchronousTestCase):
    """The kernel's own files."""

    def test_this_process(self) -> None:
        """The pss of this process is more than nothing and at most what it has resident."""
        folder = f"/proc/{os.getpid()}"
        process = Pss(folder)
        rollup = read_beginning(f"{folder}/smaps_rollup", 4096)
        process.rss = int(rollup.partition(b"\nRss:")[2].split(None, 1)[0])
        PssTurns().take([process])
        self.assertIsNotNone(process.read_in)
        self.assertGreater(process.estimate(1.0), 1024)
