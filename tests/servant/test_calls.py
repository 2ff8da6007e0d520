"""What each call does."""

from __future__ import annotations

from typing import Any

from rqd.servant.calls import NO_REASON, Calls, Host
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from rqd.frame.lifecycle import Frame
from rqd.frame.spec import FrameSpec
from rqd.proto import report_pb2, rqd_pb2
from rqd.refusals import AlreadyRunning, InvalidRequest, NotEnough, Unavailable, UnknownFrame
from rqd.report.messages import FrameFacts
from rqd.servant.rqd_interface import _UNSERVED, RqdInterface
from tests.frame.place import Place

REPORT = report_pb2.HostReport(host=report_pb2.RenderHost(name="render042"))


class CallsCase(SynchronousTestCase):
    """The calls of a host of four cores."""

    def setUp(self) -> None:
        self.place = Place(self)
        self.changes = 0
        self.shut_down: list[str] = []
        host = Host(
            launch=self.start,
            facts=lambda frame: FrameFacts(frame.spec, frame.started_at, frame.usage),
            report=lambda: REPORT,
            changed=self.change,
            shut_down=self.shut_down.append,
        )
        self.calls = Calls(host, self.place.roster, self.place.ledger)

    def start(self, spec: FrameSpec) -> Frame | Deferred[Frame]:
        return self.place.roster.launch(spec, None, self.place.site)

    def change(self) -> None:
        self.changes += 1

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
        frame = self.calls.launch(request)
        assert isinstance(frame, Frame)
        self.place.turn()
        return frame

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
        self.assertEqual(self.place.reactor.spawned, [])
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


class HostCallsTests(CallsCase):
    """Calls about the host."""

    def locked(self) -> tuple[int, int]:
        """Points locked, and how often Cuebot was to hear of a change."""
        return self.place.ledger.counts().locked, self.changes

    def test_report(self) -> None:
        """A status report is at hand."""
        self.assertEqual(self.calls.report(), REPORT)

    def test_lock(self) -> None:
        """Cores are locked and unlocked in points, at most all of them, and Cuebot hears of it."""
        self.calls.lock(150)
        self.assertEqual(self.locked(), (150, 1))
        self.calls.unlock(50)
        self.assertEqual(self.locked(), (100, 2))
        self.calls.lock(10_000)
        self.assertEqual(self.locked(), (400, 3))
        self.calls.unlock(10_000)
        self.assertEqual(self.locked(), (0, 4))

    def test_lock_all(self) -> None:
        """All of them too."""
        self.calls.lock_all()
        self.assertEqual(self.locked(), (400, 1))
        self.calls.unlock_all()
        self.assertEqual(self.locked(), (0, 2))

    def test_negative(self) -> None:
        """A negative number is refused, nothing changes, and nobody has to hear of that."""
        self.assertRaises(InvalidRequest, self.calls.lock, -1)
        self.assertRaises(InvalidRequest, self.calls.unlock, -1)
        self.assertEqual(self.locked(), (0, 0))

    def test_locked_host(self) -> None:
        """A locked host takes no frames."""
        self.calls.lock_all()
        self.assertRaises(NotEnough, self.launch)

    def test_shut_down(self) -> None:
        """A shutdown is passed on with its reason."""
        self.calls.shut_down_now()
        self.assertEqual(self.shut_down, ["the agent was told to shut down now"])

    def test_unserved(self) -> None:
        """What isn't built yet is named."""
        refusal = self.assertRaises(Unavailable, self.calls.unserved, "RebootNow")
        self.assertIn("RebootNow is not served", refusal.detail)


class ContractTests(SynchronousTestCase):
    """L{RqdInterface}."""

    def test_whole(self) -> None:
        """Every method of the contract is there: served, or refused in a sentence of ours."""
        service = rqd_pb2.DESCRIPTOR.services_by_name["RqdInterface"]
        methods = {method.name for method in service.methods}
        self.assertEqual(methods - set(vars(RqdInterface)), set())
        self.assertLess(set(_UNSERVED), methods)
