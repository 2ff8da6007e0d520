"""What each call about frames does."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from rqd.frame.lifecycle import Frame
from rqd.frame.spec import FrameSpec
from rqd.proto import rqd_pb2
from rqd.refusals import AlreadyRunning, InvalidRequest, NotEnough, UnknownFrame
from rqd.report.messages import FrameFacts
from rqd.servant.frame_calls import NO_REASON, FrameCalls
from rqd.servant.rqd_interface import RqdInterface, RunningFrame
from tests.frame.place import Place


class CallsCase(SynchronousTestCase):
    """The calls of a host of four cores."""

    def setUp(self) -> None:
        self.place = Place(self)
        self.calls = FrameCalls(
            self.place.roster,
            launch=self.start,
            facts=lambda frame: FrameFacts(frame.spec, frame.started_at, frame.usage),
        )

    def start(self, spec: FrameSpec) -> Deferred[Frame]:
        return self.place.roster.launch(spec, None, self.place.site)

    def run_frame(self, **changes: Any) -> rqd_pb2.RunFrame:
        fields: dict[str, Any] = {
            "resource_id": "r",
            "job_name": "j",
            "frame_id": "f",
            "frame_name": "1-l",
            "command": "true",
            "log_dir": str(self.place.folder),
            "num_cores": 100,
        }
        return rqd_pb2.RunFrame(**fields | changes)

    def launch(self, **changes: Any) -> Frame:
        request = rqd_pb2.RqdStaticLaunchFrameRequest(run_frame=self.run_frame(**changes))
        self.calls.launch(request)
        self.place.turn()
        return self.place.roster.get("f")

    @property
    def reports(self) -> list[bytes]:
        return [report for _, report in self.place.posted]


class FrameCallsTests(CallsCase):
    """Calls about frames."""

    def test_launch(self) -> None:
        """A launch books its cores and lets the frame live."""
        frame = self.launch(num_cores=150)
        self.assertEqual(self.place.ledger.counts().booked, 150)
        self.assertEqual(self.place.roster.all(), [frame])

    def test_launch_of_nothing(self) -> None:
        """A launch without a frame is malformed."""
        request = rqd_pb2.RqdStaticLaunchFrameRequest()
        refusal = self.assertRaises(InvalidRequest, self.calls.launch, request)
        self.assertEqual(refusal.detail, "the request holds no run_frame")

    def test_refused_launches(self) -> None:
        """A launch that is refused books nothing and leaves nothing on disk."""
        self.assertRaises(InvalidRequest, self.launch, command="")
        self.assertRaises(InvalidRequest, self.launch, num_cores=0)
        self.assertRaises(NotEnough, self.launch, num_cores=500)
        self.assertEqual((self.place.ledger.counts().booked, self.place.left()), (0, []))

    def test_launched_already(self) -> None:
        """The second launch of a running frame is refused."""
        self.launch()
        self.assertRaises(AlreadyRunning, self.launch)

    def test_abandoned(self) -> None:
        """A launch whose caller never heard of it doesn't start."""
        self.place.workers.hold("state")
        self.calls.abandon(self.launch())
        self.place.workers.release("state")
        self.place.turn()
        self.assertEqual(self.place.started(), 0)
        self.assertEqual(self.reports, [b"1/15 the launch call ended before it was answered"])

    def test_run_frame(self) -> None:
        """The request can be had as it came."""
        self.launch(environment={"A": "1"}, uid=1001)
        wanted = self.run_frame(environment={"A": "1"}, uid=1001)
        self.assertEqual(self.calls.run_frame("f"), wanted)

    def test_frame_info(self) -> None:
        """A running frame's facts are those of the reports."""
        self.launch(num_cores=250)
        info = self.calls.frame_info("f")
        self.assertEqual((info.frame_id, info.resource_id, info.num_cores), ("f", "r", 250))

    def test_unknown(self) -> None:
        """A frame that doesn't run here is unknown to every call."""
        for call in (self.calls.run_frame, self.calls.frame_info):
            self.assertRaises(UnknownFrame, call, "g")
        self.assertRaises(UnknownFrame, self.calls.kill, "g", "")

    def test_no_frame_id(self) -> None:
        """A call that names no frame is malformed, which is no proof of anything."""
        for call in (self.calls.run_frame, self.calls.frame_info):
            self.assertRaises(InvalidRequest, call, "")
        self.assertRaises(InvalidRequest, self.calls.kill, "", "x")

    def killed(self, reason: str) -> bytes:
        """The report of a frame that was killed for this reason before it started."""
        self.place.workers.hold("state")
        self.launch()
        self.calls.kill("f", reason)
        self.place.workers.release("state")
        self.place.turn()
        return self.reports[-1]

    def test_kill(self) -> None:
        """A killed frame ends, for a reason that may be long and of many lines."""
        reason = "line\n" * 1000
        self.assertEqual(self.killed(reason), b"1/15 " + reason.encode())

    def test_kill_without_reason(self) -> None:
        """No reason is a reason."""
        self.assertEqual(self.killed(""), b"1/15 " + NO_REASON.encode())


class ContractTests(SynchronousTestCase):
    """The services."""

    def test_whole(self) -> None:
        """Every method of the contract is served."""
        for served in (RqdInterface, RunningFrame):
            service = rqd_pb2.DESCRIPTOR.services_by_name[served.__name__]
            methods = {method.name for method in service.methods}
            self.assertEqual(methods - set(vars(served)), set())
