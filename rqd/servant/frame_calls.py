"""What each call about frames does, on the reactor: a request in, refusals raised."""

from __future__ import annotations

from collections.abc import Callable

from google.protobuf.message import DecodeError
from twisted.internet.defer import Deferred

from rqd.frame.lifecycle import Frame
from rqd.frame.phases import Kill
from rqd.frame.roster import Roster
from rqd.frame.spec import FrameSpec, parse
from rqd.proto import report_pb2, rqd_pb2
from rqd.refusals import InvalidRequest
from rqd.report.messages import FrameFacts, running_frame

NO_REASON = "no reason given"


class FrameCalls:
    """The methods of ``rqd.RqdInterface`` and ``rqd.RunningFrame`` that name a frame."""

    def __init__(
        self,
        roster: Roster,
        *,
        launch: Callable[[FrameSpec], Deferred[Frame]],
        facts: Callable[[Frame], FrameFacts],
    ) -> None:
        self._roster = roster
        self._launch = launch
        self._facts = facts

    def launch(self, request: rqd_pb2.RqdStaticLaunchFrameRequest) -> Deferred[Frame]:
        """Validate, reserve, record, answer; the start comes after the answer."""
        if not request.HasField("run_frame"):
            raise InvalidRequest("the request holds no run_frame")
        return self._launch(parse(request.run_frame))

    def abandon(self, frame: Frame) -> None:
        """The caller never learned that its launch was taken: it must not start (SPEC §10)."""
        frame.kill(Kill("the launch call ended before it was answered"))

    def run_frame(self, frame_id: str) -> rqd_pb2.RunFrame:
        """The request as it came."""
        return rqd_pb2.RunFrame.FromString(self._roster.get(_known(frame_id)).spec.request)

    def frame_info(self, frame_id: str) -> report_pb2.RunningFrameInfo:
        return running_frame(self._facts(self._roster.get(_known(frame_id))))

    def kill(self, frame_id: str, reason: str) -> None:
        self._roster.kill(_known(frame_id), reason or NO_REASON)


def spec_of(request: bytes) -> FrameSpec:
    """A launch request as it was kept; raises ValueError or InvalidRequest."""
    try:
        return parse(rqd_pb2.RunFrame.FromString(request))
    except DecodeError:
        raise ValueError("its request can't be decoded") from None


def _known(frame_id: str) -> str:
    if not frame_id:
        raise InvalidRequest("frame_id is empty")
    return frame_id
