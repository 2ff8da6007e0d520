"""Where the agent's threads run, with real threads and what a made-up kernel says of them."""

from __future__ import annotations

import os
import threading
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from rqd.system.ownprocessor import CROWDED, OwnProcessor, Waits, crowding

SECOND = 1_000_000_000


class Kernel:
    """Its files about the thread that asks; ``where`` is the processor that this runs on."""

    def __init__(self, root: str, where: int) -> None:
        self.root = root
        self.own, self.tasks = Path(root, "thread-self"), Path(root, "self", "task")
        self.own.mkdir(parents=True)
        self.tasks.mkdir(parents=True)
        self.runs_on(where)
        self.waited(0)

    def runs_on(self, where: int) -> None:
        fields = ["S", *["0"] * 35, str(where), "0"]
        self.own.joinpath("stat").write_text("1 (odd ) 9 name) " + " ".join(fields))

    def waited(self, seconds: float) -> None:
        self.own.joinpath("schedstat").write_text(f"12 {int(seconds * SECOND)} 3\n")

    def has(self, thread: int) -> None:
        self.tasks.joinpath(str(thread)).mkdir()


class OwnProcessorTests(SynchronousTestCase):
    """``OwnProcessor`` for this thread, which is set back in the end."""

    def setUp(self) -> None:
        self.all = os.sched_getaffinity(0)
        self.addCleanup(os.sched_setaffinity, 0, self.all)
        self.kernel = Kernel(self.mktemp(), min(self.all))
        self.kernel.has(threading.get_native_id())
        self.own = OwnProcessor(self.kernel.root)

    def test_free_at_first(self) -> None:
        """Nothing changes before it settles."""
        self.assertEqual(os.sched_getaffinity(0), self.all)

    def test_settles(self) -> None:
        """It stays where it runs."""
        self.own.settle()
        self.assertEqual(os.sched_getaffinity(0), {min(self.all)})

    def test_all_threads(self) -> None:
        """Threads that are there already stay there as well; one that has just ended is no harm."""
        gate, ready = threading.Event(), threading.Event()
        found: list[set[int]] = []

        def work() -> None:
            ready.set()
            gate.wait(30)
            found.append(os.sched_getaffinity(0))

        thread = threading.Thread(target=work)
        thread.start()
        ready.wait(30)
        assert thread.native_id is not None
        self.kernel.has(thread.native_id)
        self.kernel.has(2**22 + 1)  # more than Linux gives out
        self.own.settle()
        gate.set()
        thread.join()
        self.assertEqual(found, [{min(self.all)}])

    def test_children(self) -> None:
        """What is started meanwhile may run everywhere, and it is back afterwards."""
        self.own.settle()
        with self.own.everywhere():
            self.assertEqual(os.sched_getaffinity(0), self.all)
        self.assertEqual(os.sched_getaffinity(0), {min(self.all)})

    def test_children_of_a_free_agent(self) -> None:
        """There is nothing to set back."""
        with self.own.everywhere():
            self.assertEqual(os.sched_getaffinity(0), self.all)
        self.assertEqual(os.sched_getaffinity(0), self.all)

    def test_long_work(self) -> None:
        """A thread with long work may go everywhere, and comes back."""
        self.own.settle()
        self.own.roam(True)
        self.assertEqual(os.sched_getaffinity(0), self.all)
        self.own.roam(False)
        self.assertEqual(os.sched_getaffinity(0), {min(self.all)})

    def test_quiet(self) -> None:
        """It stays where nobody else is."""
        self.own.settle()
        self.own.look()
        self.assertEqual(os.sched_getaffinity(0), {min(self.all)})

    def test_crowded(self) -> None:
        """It leaves where others are, and stays where it then finds itself when that is quiet."""
        self.own.settle()
        self.kernel.waited(3600)
        self.own.look()
        self.assertEqual(os.sched_getaffinity(0), self.all)
        self.kernel.runs_on(max(self.all))
        self.own.look()
        self.assertEqual(os.sched_getaffinity(0), {max(self.all)})

    def test_crowded_everywhere(self) -> None:
        """It remains free as long as it has to wait wherever it is."""
        self.own.settle()
        for waited in (3600, 7200, 10800):
            self.kernel.waited(waited)
            self.own.look()
            self.assertEqual(os.sched_getaffinity(0), self.all)

    def test_silent_kernel(self) -> None:
        """Where the kernel doesn't tell how long threads wait, it never settles."""
        self.kernel.own.joinpath("schedstat").unlink()
        self.own.settle()
        self.own.look()
        self.assertEqual(os.sched_getaffinity(0), self.all)

    def test_forbidden(self) -> None:
        """A processor that the agent may not use leaves it free, and what it starts, too."""
        self.kernel.runs_on(max(self.all) + 1000)
        self.own.settle()
        with self.own.everywhere():
            self.assertEqual(os.sched_getaffinity(0), self.all)
        self.assertEqual(os.sched_getaffinity(0), self.all)


class CrowdingTests(SynchronousTestCase):
    """``crowding``"""

    def test_others(self) -> None:
        """Waiting longer than the agent runs is crowded."""
        self.assertGreater(crowding(Waits(0, 0, 0), Waits(50, 40, 5)), CROWDED)

    def test_own(self) -> None:
        """Waiting for the agent's own threads is not."""
        self.assertEqual(crowding(Waits(100, 100, 100), Waits(150, 200, 150)), 0.0)

    def test_idle(self) -> None:
        """An agent that did nothing has waited for nothing."""
        self.assertEqual(crowding(Waits(1, 1, 1), Waits(1, 1, 1)), 0.0)
