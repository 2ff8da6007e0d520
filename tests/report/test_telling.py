"""Reports of the newest facts."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from rqd.frame.exits import FrameEnd
from rqd.proto import report_pb2
from rqd.report.messages import FrameFacts
from rqd.report.telling import AT_ONCE, HOST_AGE, Telling
from rqd.system.condition import HostCondition
from rqd.system.gpus import GpuTotals
from rqd.system.host import HostSample
from rqd.system.reservations import CoreCounts
from tests.report.facts import frame_facts, frame_spec, host_sample

END = FrameEnd(exit_status=3, exit_signal=0, ended_at=1.0, run_time=7.5)


class TellingTests(SynchronousTestCase):
    """L{Telling}, of a host that changes."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.load = 100
        self.looks = 0
        self.broken = False
        self.condition = HostCondition()
        self.gpus = GpuTotals(count=2, total=4096, free=1024)
        self.counts = CoreCounts(total=400, idle=300, locked=0, booked=100)
        self.completions = 0
        self.frames = [frame_facts(spec=frame_spec(frame_id="a"))]
        self.telling = Telling(
            clock=self.clock,
            sample=self.sample,
            condition=lambda: self.condition,
            gpus=lambda: self.gpus,
            counts=lambda: self.counts,
            frames=lambda: iter(self.frames),
            completions=lambda: self.completions,
        )

    def sample(self) -> HostSample:
        self.looks += 1
        if self.broken:
            raise OSError(5, "Input/output error")
        return host_sample(load=self.load)

    def status(self) -> report_pb2.HostReport:
        return report_pb2.HostReport.FromString(self.telling.status())

    def completion(self, facts: FrameFacts | None = None) -> report_pb2.FrameCompleteReport:
        report = self.telling.completion(facts or frame_facts(), END)
        return report_pb2.FrameCompleteReport.FromString(report)

    def test_boot(self) -> None:
        """The startup report tells of the host and its cores."""
        report = self.telling.boot()
        self.assertEqual((report.host.name, report.core_info.total_cores), ("render042", 400))
        self.assertEqual(report.host.num_gpus, 2)

    def test_gpus(self) -> None:
        """Every report of the host tells of its GPUs as they are at that moment."""
        self.gpus = GpuTotals(count=1, total=2048, free=2047)
        host = self.status().host
        self.assertEqual((host.num_gpus, host.total_gpu_mem, host.free_gpu_mem), (1, 2048, 2047))

    def test_status(self) -> None:
        """A status report tells of the host, its cores, and every frame."""
        report = self.status()
        self.assertEqual(report.host.load, 100)
        self.assertEqual([frame.frame_id for frame in report.frames], ["a"])
        self.assertEqual(report.core_info.booked_cores, 100)

    def test_renewed(self) -> None:
        """Many frames are put into words ahead, some in a turn; what changes later is told, too."""
        self.telling.renew()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.frames = [frame_facts(spec=frame_spec(frame_id=str(n))) for n in range(3 * AT_ONCE)]
        self.telling.renew()
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.clock.advance(0)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.frames[1] = frame_facts(spec=frame_spec(frame_id="other"))
        told = [frame.frame_id for frame in self.status().frames]
        self.assertEqual(told, [frame.spec.frame_id for frame in self.frames])

    def test_completions(self) -> None:
        """It tells how many completions wait, if any do; no completion tells that."""
        self.assertNotIn("completionsWaiting", self.status().host.attributes)
        self.completions = 20_000
        attributes = self.status().host.attributes
        self.assertEqual(attributes["completionsWaiting"], "20000")
        self.assertNotIn("completionsWaiting", self.completion().host.attributes)

    def test_newest(self) -> None:
        """It always tells the newest facts, however soon after the last."""
        self.telling.status()
        self.load, self.frames = 250, []
        self.condition = HostCondition(nimby_locked=True)
        self.counts = CoreCounts(total=400, idle=0, locked=400, booked=0)
        report = self.status()
        self.assertEqual((report.host.load, report.host.nimby_locked), (250, True))
        self.assertEqual((list(report.frames), report.core_info.locked_cores), ([], 400))

    def test_completion(self) -> None:
        """A completion tells of the host, the frame and its end."""
        report = self.completion(frame_facts(spec=frame_spec(resource_id="r")))
        self.assertEqual((report.host.name, report.frame.resource_id), ("render042", "r"))
        self.assertEqual((report.exit_status, report.run_time), (3, 7))

    def test_many_completions(self) -> None:
        """Many ends within a second cost one look at the host."""
        for _ in range(100):
            self.completion()
            self.clock.advance(HOST_AGE / 100)
        self.assertEqual(self.looks, 1)
        self.clock.advance(0.1)
        self.load = 7
        self.assertEqual(self.completion().host.load, 7)

    def test_completion_after_change(self) -> None:
        """A completion tells of the host's condition as it is, however young the last look is."""
        self.completion()
        self.condition = HostCondition(nimby_locked=True)
        self.assertTrue(self.completion().host.nimby_locked)

    def test_completion_after_status(self) -> None:
        """A look that a status report took is good for completions, too."""
        self.telling.status()
        self.completion()
        self.assertEqual(self.looks, 1)

    def test_host_that_cannot_be_read(self) -> None:
        """The end of a frame is told whatever the host says: with what was known last."""
        self.completion()
        self.clock.advance(60)
        self.broken = True
        report = self.completion()
        self.assertEqual((report.host.name, report.exit_status), ("render042", 3))
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)
