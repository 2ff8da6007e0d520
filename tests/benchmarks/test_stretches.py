"""What is read of the stopwatch at the reactor."""

from __future__ import annotations

import os
import select
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from benchmarks.stopwatch import LEAST, RECORD, Stopwatch
from benchmarks.stretches import reactor_time


class ReactorTimeTests(SynchronousTestCase):
    """`reactor_time` adds up the stretches of a while."""

    def times(self, content: bytes) -> dict[str, float]:
        """Of the ten seconds from 100 on, with a tick every five."""
        path = Path(self.mktemp())
        path.write_bytes(content)
        return reactor_time(path, 100.0, 110.0, 5.0)

    def test_window(self) -> None:
        """What began inside counts, short stretches too; the longest is told."""
        records = [(99.9, 5.0, 5.0, 1.0), (100.0, 0.004, 0.001, 0.001), (109.9, 0.015, 0.003, 0)]
        found = self.times(b"".join(RECORD.pack(*record) for record in records))
        self.assertAlmostEqual(found["ms_per_tick"], 10.0)
        self.assertAlmostEqual(found["cpu_ms_per_tick"], 2.0)
        self.assertAlmostEqual(found["longest_ms"], 15.0)
        self.assertAlmostEqual(found["longest_cpu_ms"], 3.0)

    def test_part_of_a_record(self) -> None:
        """A record that is being written is left out."""
        found = self.times(RECORD.pack(101.0, 0.01, 0.01, 0.0) + b"\0" * 9)
        self.assertAlmostEqual(found["ms_per_tick"], 5.0)


class StopwatchTests(SynchronousTestCase):
    """`Stopwatch` stands in front of an epoll object."""

    def test_passes_on(self) -> None:
        """What is asked of it is asked of the epoll, and its answer comes back."""
        reading, writing = os.pipe()
        epoll = select.epoll()
        for close in (epoll.close, lambda: os.close(reading), lambda: os.close(writing)):
            self.addCleanup(close)
        path = self.mktemp()
        out = os.open(path, os.O_WRONLY | os.O_CREAT)
        self.addCleanup(os.close, out)
        watch = Stopwatch(epoll, out)
        watch.register(reading, select.EPOLLIN)
        os.write(writing, b"x")
        self.assertEqual(watch.poll(1, 4), [(reading, select.EPOLLIN)])

    def test_stretches(self) -> None:
        """Work between two polls is written as one stretch, with its CPU."""
        path = self.mktemp()
        out = os.open(path, os.O_WRONLY | os.O_CREAT)
        self.addCleanup(os.close, out)
        epoll = select.epoll()
        self.addCleanup(epoll.close)
        watch = Stopwatch(epoll, out)
        watch.poll(0)
        Path(path).write_bytes(b"")
        os.lseek(out, 0, os.SEEK_SET)
        sum(range(300_000))
        watch.poll(0)
        ((_, seconds, cpu, _),) = RECORD.iter_unpack(Path(path).read_bytes())
        self.assertGreater(seconds, LEAST)
        self.assertGreater(cpu, 0)
