"""Workers per mount, with real threads."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from functools import partial
from queue import SimpleQueue
from time import thread_time

from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase, TestCase

from rqd.logging.mounts import LONG, PATIENCE, PER_MOUNT, MountWorkers, WorkersStopped
from rqd.logging.mounttable import MountTable
from tests.logging.awaiting import awaited


def table(test: SynchronousTestCase) -> MountTable:
    """Two mounts that can't be local: ``/nas1``, ``/nas2``."""
    mountinfo = os.path.abspath(test.mktemp())
    with open(mountinfo, "w") as file:
        file.write("1 0 0:1 / /nas1 rw - nfs4 a rw\n2 0 0:2 / /nas2 rw - nfs4 b rw\n")
    return MountTable(mountinfo)


def busy_for(seconds: float) -> None:
    """Spend so much CPU in this thread."""
    until = thread_time() + seconds
    while thread_time() < until:
        pass


class ClockWithThreads(Clock):
    """Keeps what threads have to say, for the test to hear."""

    def __init__(self) -> None:
        super().__init__()
        self.results: SimpleQueue[Callable[[], None]] = SimpleQueue()

    def callFromThread(self, function, *args) -> None:
        """As in C{IReactorFromThreads}."""
        self.results.put(partial(function, *args))


class MountWorkersTests(TestCase):
    """``MountWorkers`` with the real reactor."""

    timeout = 30

    def setUp(self) -> None:
        self.workers = MountWorkers(reactor=reactor, table=table(self))
        self.gate = threading.Event()

    def tearDown(self) -> Deferred[None]:
        self.gate.set()
        return self.workers.stop(10)

    @awaited
    async def test_result(self) -> None:
        """The result comes to the reactor's thread, the work was done in another."""
        seen = await self.workers.run("/nas1/a", lambda word: (word, threading.get_ident()), "x")
        self.assertEqual(seen[0], "x")
        self.assertNotEqual(seen[1], threading.get_ident())

    @awaited
    async def test_failure(self) -> None:
        """What a job raises is the Deferred's failure; the thread goes on."""
        for _ in range(2 * PER_MOUNT):
            await self.assertFailure(self.workers.run("/nas1/a", os.stat, "/no/file"), OSError)
        self.assertEqual(await self.workers.run("/nas1/a", len, "abc"), 3)

    @awaited
    async def test_hung_mount(self) -> None:
        """However many jobs hang on one mount, another mount and the state folder go on."""
        hung = [self.workers.run("/nas1/a", self.gate.wait) for _ in range(50)]
        self.assertEqual(await self.workers.run("/nas2/a", len, "abc"), 3)
        self.assertEqual(await self.workers.run("/local", len, "abc"), 3)
        self.assertEqual(await self.workers.run_for("state", len, "abc"), 3)
        self.assertFalse(any(job.called for job in hung))
        self.assertLessEqual(self.workers.thread_count, PER_MOUNT + 3)
        self.gate.set()
        self.assertEqual(await gatherResults(hung), [True] * 50)

    @awaited
    async def test_one_stuck_thread(self) -> None:
        """A mount with one slow file still serves the others."""
        stuck = self.workers.run("/nas1/slow", self.gate.wait)
        for number in range(20):
            self.assertEqual(await self.workers.run("/nas1/a", abs, number), number)
        self.assertFalse(stuck.called)
        self.gate.set()
        await stuck

    @awaited
    async def test_threads_are_constant(self) -> None:
        """Threads don't grow with the work, and one is enough for jobs that take turns."""
        for number in range(50):
            await self.workers.run("/nas1/a", abs, number)
        self.assertEqual(self.workers.thread_count, 1)
        await gatherResults([self.workers.run("/nas1/a", abs, 1) for _ in range(500)])
        self.assertLessEqual(self.workers.thread_count, PER_MOUNT)

    @awaited
    async def test_long_jobs(self) -> None:
        """A thread says when its jobs have become long, and when they are short again."""
        told: SimpleQueue[bool] = SimpleQueue()
        workers = MountWorkers(reactor=reactor, table=table(self), roam=told.put)
        for _ in range(2):
            await workers.run("/nas1/a", busy_for, 2 * LONG)
        self.assertTrue(told.get(timeout=30))
        await workers.run("/nas1/a", abs, 1)
        self.assertFalse(told.get(timeout=30))
        self.assertTrue(told.empty())
        await workers.stop(10)

    def test_help(self) -> None:
        """What still waits after a moment gets another thread, and a stop waits for no moment."""
        clock = ClockWithThreads()
        workers = MountWorkers(reactor=clock, table=table(self))
        workers.run("/nas1/slow", self.gate.wait)
        helped = workers.run("/nas1/a", threading.get_ident)
        self.assertEqual(workers.thread_count, 1)
        clock.advance(PATIENCE)
        self.assertEqual(workers.thread_count, PER_MOUNT)
        clock.results.get(timeout=30)()
        self.assertTrue(self.successResultOf(helped))
        self.gate.set()
        workers.stop(5)

    @awaited
    async def test_threads_are_daemons(self) -> None:
        """A stuck thread can't hold up the end of the process."""
        thread = await self.workers.run("/nas1/a", threading.current_thread)
        self.assertTrue(thread.daemon)


class StopTests(TestCase):
    """The end of ``MountWorkers``."""

    timeout = 30

    @awaited
    async def test_queued_work_is_done(self) -> None:
        """Work that was accepted before the stop is done by it."""
        workers = MountWorkers(reactor=reactor, table=table(self))
        jobs = [workers.run("/nas1/a", abs, number) for number in range(20)]
        await workers.stop(10)
        self.assertEqual(await gatherResults(jobs), list(range(20)))
        self.assertEqual(workers.thread_count, 0)

    @awaited
    async def test_no_more_work(self) -> None:
        """Work offered afterwards is refused at once."""
        workers = MountWorkers(reactor=reactor, table=table(self))
        await workers.stop(10)
        await self.assertFailure(workers.run("/nas1/a", abs, 1), WorkersStopped)

    def test_patience(self) -> None:
        """Stuck threads are left behind after the time that the caller gives."""
        clock, gate = ClockWithThreads(), threading.Event()
        workers = MountWorkers(reactor=clock, table=table(self))
        workers.run("/nas1/a", gate.wait)
        stopping = workers.stop(5)
        clock.advance(4.9)
        self.assertNoResult(stopping)
        clock.advance(0.1)
        self.successResultOf(stopping)
        gate.set()
