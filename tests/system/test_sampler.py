"""All frames, one pass a tick."""

from __future__ import annotations

from collections.abc import Container, Mapping

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from rqd.system.processes import ProcessReader, ProcessSample
from rqd.system.sampler import Membership, Sampler
from rqd.system.usage import EMPTY_USAGE
from tests.system.fake_proc import BOOT_TIME, FakeProc


class CountingReader:
    """A reader of a made-up ``/proc`` that counts the passes."""

    def __init__(self, root: str) -> None:
        self._reader = ProcessReader(root)
        self.passes = 0

    def read(
        self, sessions: Mapping[int, str], pids: Mapping[int, str], without: Container[int] = ()
    ) -> dict[str, list[ProcessSample]]:
        """As the real one."""
        self.passes += 1
        return self._reader.read(sessions, pids, without)


class SamplerTests(SynchronousTestCase):
    """``Sampler``."""

    def setUp(self) -> None:
        self.proc = FakeProc(self.mktemp())
        self.clock = Clock()
        self.reader = CountingReader(self.proc.root)
        self.sampler = Sampler(
            self.reader,
            monotonic=self.clock.seconds,
            wall_clock=lambda: BOOT_TIME + 10_000 + self.clock.seconds(),
        )

    def test_one_pass(self) -> None:
        """However many the frames, the processes are read once a tick."""
        for pid in range(10, 30):
            self.proc.process(pid, session=pid, rss=pid * 4)
        usages = self.sampler.tick({str(pid): Membership(pid) for pid in range(10, 30)})
        self.assertEqual(self.reader.passes, 1)
        self.assertEqual(
            {key: usage.rss // 4 for key, usage in usages.items()},
            {str(pid): pid for pid in range(10, 30)},
        )

    def test_cgroup(self) -> None:
        """A process that left the session is the frame's by its cgroup."""
        self.proc.process(10, session=10)
        self.proc.process(11, session=11)
        usage = self.sampler.tick({"a": Membership(10, (10, 11))})["a"]
        self.assertEqual({process.pid for process in usage.processes}, {10, 11})

    def test_rates(self) -> None:
        """Cores in use are reckoned over the time between the ticks."""
        groups = {"a": Membership(10)}
        self.proc.process(10, session=10, cpu=1)
        self.sampler.tick(groups)
        self.clock.advance(5)
        self.proc.process(10, session=10, cpu=16)
        self.assertAlmostEqual(self.sampler.tick(groups)["a"].pcpu, 3.0)

    def test_supervisor(self) -> None:
        """The leader of a frame's session is not the frame's where it is said to be ours."""
        for pid in (10, 11):
            self.proc.process(pid, session=10)
        (process,) = self.sampler.tick({"a": Membership(10, supervisor=10)})["a"].processes
        self.assertEqual(process.pid, 11)

    def test_missed(self) -> None:
        """A frame that a pass missed keeps what is known; the rate spans the gap."""
        groups = {"a": Membership(10)}
        self.proc.process(10, session=10, cpu=1, rss=400)
        self.sampler.tick(groups)
        self.proc.remove("10/stat")
        self.clock.advance(5)
        self.assertEqual(self.sampler.tick(groups)["a"].rss, 400)
        self.proc.process(10, session=10, cpu=11)
        self.clock.advance(5)
        self.assertAlmostEqual(self.sampler.tick(groups)["a"].pcpu, 1.0)

    def test_unseen(self) -> None:
        """A frame that was never seen has used nothing yet."""
        self.assertEqual(self.sampler.tick({"a": Membership(10)}), {"a": EMPTY_USAGE})

    def test_forgotten(self) -> None:
        """A frame that is no longer asked for is forgotten, its marks with it."""
        self.proc.process(10, session=10, rss=400)
        self.sampler.tick({"a": Membership(10)})
        self.assertEqual(self.sampler.tick({}), {})
        self.proc.process(10, session=10, rss=40)
        self.assertEqual(self.sampler.tick({"a": Membership(10)})["a"].max_rss, 40)
