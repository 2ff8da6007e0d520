"""The host's memory is protected from its frames."""

from __future__ import annotations

import signal

from twisted.trial.unittest import SynchronousTestCase

from rqd.frame.ladder import Grace
from rqd.frame.lifecycle import Frame
from rqd.frame.phases import Kill
from rqd.frame.protection import PATIENCE, MemoryProtection
from rqd.system.memory import MemorySample
from rqd.system.usage import FrameUsage
from tests.frame.fakes import FakeMembers
from tests.frame.place import Place

GIB = 1 << 20


class ProtectionTests(SynchronousTestCase):
    """L{MemoryProtection}, on a host of 100 GiB."""

    def setUp(self) -> None:
        self.place = Place(self)
        self.free = 50 * GIB
        self.members: dict[str, FakeMembers] = {}
        self.frames: list[Frame] = []
        self.protection = self.protect(96)

    def protect(self, margin: float) -> MemoryProtection:
        return MemoryProtection(
            margin,
            memory=lambda: MemorySample(100 * GIB, self.free, 0, 0),
            frames=lambda: self.frames,
            monotonic=self.place.reactor.seconds,
        )

    def frame(self, name: str, pss: int, **limits: int) -> Frame:
        """One that runs, and uses that much (GiB); limits in GiB."""
        limits = {limit: size * GIB for limit, size in limits.items()}
        frame = self.place.frame(frame_id=name, num_cores=1, **limits)
        self.place.live(frame)
        self.place.process.begin()
        frame.members = self.members[name] = FakeMembers(1)
        frame.sampled(FrameUsage(rss=99 * GIB, pss=pss * GIB))
        self.frames.append(frame)
        return frame

    def dying(self) -> list[str]:
        return [frame.spec.frame_id for frame in self.frames if frame.dying]

    def test_enough(self) -> None:
        """As long as the margin is kept, frames may use what they like."""
        self.frame("a", 90, soft_memory_limit=1)
        self.protection.look()
        self.assertEqual(self.dying(), [])

    def test_short(self) -> None:
        """Past it, the worst are told to end, and those within their limits go on."""
        self.frame("worst", 5, soft_memory_limit=1)
        self.frame("bad", 30, soft_memory_limit=28)
        self.frame("good", 60, soft_memory_limit=60)
        self.free = 2 * GIB
        self.protection.look()
        self.assertEqual(self.dying(), ["worst", "bad"])

    def test_pss(self) -> None:
        """A frame whose processes share memory is not over its limit just by rss."""
        self.frame("a", 10, soft_memory_limit=10)
        self.free = 0
        self.protection.look()
        self.assertEqual(self.dying(), [])

    def test_limits(self) -> None:
        """The hard limit counts where there is no soft one; no limit at all is never passed."""
        self.frame("none", 40)
        self.frame("hard", 30, hard_memory_limit=20)
        self.frame("soft", 30, soft_memory_limit=31, hard_memory_limit=1)
        self.free = 0
        self.protection.look()
        self.assertEqual(self.dying(), ["hard"])

    def test_on_its_way(self) -> None:
        """Memory that dying frames are about to give back is not asked for of others."""
        self.frame("a", 10, soft_memory_limit=5)
        self.frame("b", 9, soft_memory_limit=5)
        self.free = 2 * GIB
        for _ in range(3):
            self.protection.look()
            self.place.reactor.advance(1)
        self.assertEqual(self.dying(), ["a"])

    def test_stuck(self) -> None:
        """But not for ever: a frame that can't be killed keeps nobody else alive."""
        self.frame("a", 10, soft_memory_limit=5)
        self.frame("b", 9, soft_memory_limit=5)
        self.members["a"].deaf_to_kill = 1 << 30
        self.free = 2 * GIB
        self.protection.look()
        self.place.reactor.advance(PATIENCE)
        self.protection.look()
        self.assertEqual(self.dying(), ["a", "b"])

    def test_end(self) -> None:
        """Who goes is reported with 33, and its log says why, with figures."""
        frame = self.place.frame(soft_memory_limit=4 * GIB)
        life = self.place.live(frame)
        self.place.process.begin()
        frame.members = FakeMembers(1)
        frame.sampled(FrameUsage(pss=12 * GIB, swap=GIB))
        self.frames.append(frame)
        self.free = 2 * GIB
        self.protection.look()
        frame.members.alive = []
        self.place.process.end(128 + signal.SIGTERM)
        self.place.turn()
        said = (
            "the host ran out of memory: 98.0 % of 100.00 GiB used, the margin is 96 %"
            " (memory_oom_margin_percentage); this frame used 12.00 GiB and 1.00 GiB of swap,"
            " 9.00 GiB over its limit of 4.00 GiB"
        )
        self.assertEqual(self.successResultOf(life).decode(), f"1/33 {said}")

    def test_no_grace(self) -> None:
        """It is killed after 3 s, not after 30, also where force is not configured."""
        self.place.terms(grace=Grace(30.0, 1.0, force=False))
        self.frame("a", 10, soft_memory_limit=5)
        self.free = 0
        self.protection.look()
        self.place.reactor.pump([1.0] * 2)
        self.assertEqual(self.members["a"].kills, 0)
        self.place.reactor.advance(1.0)
        self.assertEqual(self.members["a"].kills, 1)

    def test_off(self) -> None:
        """0 and 100 switch it off."""
        self.frame("a", 10, soft_memory_limit=5)
        self.free = 0
        for margin in (0, 100):
            self.protect(margin).look()
        self.assertEqual(self.dying(), [])

    def test_unmeasured(self) -> None:
        """A frame that was not measured yet is nobody's victim."""
        frame = self.place.frame(soft_memory_limit=1)
        self.place.live(frame)
        self.frames.append(frame)
        self.free = 0
        self.protection.look()
        self.assertEqual(self.dying(), [])


class KernelTests(SynchronousTestCase):
    """Frames that the kernel ended for want of memory."""

    def setUp(self) -> None:
        self.place = Place(self)
        self.count(0)
        self.frame = self.place.frame()
        self.life = self.place.live(self.frame)
        self.place.process.begin()
        self.frame.members = self.members = FakeMembers(1)
        self.place.reactor.advance(5)

    def count(self, kills: int) -> None:
        """What the kernel has counted on this host."""
        (self.place.folder / "vmstat").write_text(f"pgfault 1\noom_kill {kills}\n")

    def ended(self, status: int) -> str:
        self.members.alive = []
        self.place.process.end(status)
        self.place.turn()
        return self.successResultOf(self.life).decode().strip()

    def test_by_its_group(self) -> None:
        """A failure after the kernel killed in the frame's own group is one for memory."""
        self.members.killed_by_kernel = 1
        self.assertEqual(self.ended(3), "3/33")
        self.assertIn("the kernel killed", self.place.log(self.frame).footer.decode())

    def test_survived(self) -> None:
        """A frame that copes with the loss of a process has not failed."""
        self.members.killed_by_kernel = 1
        self.assertEqual(self.ended(0), "0/0")

    def test_by_host(self) -> None:
        """A SIGKILL that nobody here sent, while the kernel counts a kill, is one for memory."""
        self.count(1)
        self.assertEqual(self.ended(128 + signal.SIGKILL), "1/33")

    def test_killed_by_hand(self) -> None:
        """Without such a count it is but a SIGKILL."""
        self.assertEqual(self.ended(128 + signal.SIGKILL), "1/9")

    def test_other_end(self) -> None:
        """Whatever else ends while the kernel kills somebody was not killed for memory."""
        self.count(1)
        self.assertEqual(self.ended(128 + signal.SIGSEGV), "1/11")

    def test_before_it(self) -> None:
        """What the kernel killed before the frame began has nothing to do with it."""
        self.count(1)
        self.place.site.oom_kills.look()
        self.place.reactor.advance(5)
        frame = self.place.frame()
        life = self.place.live(frame)
        self.place.process.begin()
        self.place.reactor.advance(1)
        self.place.process.end(128 + signal.SIGKILL)
        self.assertEqual(self.successResultOf(life).decode().strip(), "1/9")

    def test_killed_here(self) -> None:
        """A frame that the agent was killing ended by that."""
        self.members.killed_by_kernel = 1
        self.count(1)
        self.frame.kill(Kill("enough"))
        self.assertEqual(self.ended(128 + signal.SIGKILL), "1/9 enough")
