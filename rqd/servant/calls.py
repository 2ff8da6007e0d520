"""What each call does, on the reactor: a request in, a response out, refusals raised."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from twisted.internet.defer import Deferred

from rqd.frame.lifecycle import Frame, Kill
from rqd.frame.roster import Roster
from rqd.frame.spec import FrameSpec, parse
from rqd.proto import report_pb2, rqd_pb2
from rqd.refusals import InvalidRequest, Unavailable
from rqd.report.messages import FrameFacts, running_frame
from rqd.system.reservations import Ledger

NO_REASON = "no reason given"


class Host(NamedTuple):
    """What the calls need of the rest of the agent; the composition root fills it in."""

    launch: Callable[[FrameSpec], Frame | Deferred[Frame]]
    facts: Callable[[Frame], FrameFacts]
    report: Callable[[], report_pb2.HostReport]
    changed: Callable[[], None]
    """Tell Cuebot soon: a lock or a state is another now."""
    shut_down: Callable[[str], None]
    """Kill all frames for this reason, deliver their completions, end the agent."""


class Calls:
    """The methods of ``rqd.RqdInterface`` and ``rqd.RunningFrame``."""

    def __init__(self, host: Host, roster: Roster, ledger: Ledger) -> None:
        self._host = host
        self._roster = roster
        self._ledger = ledger

    # -- frames --------------------------------------------------------------------------------

    def launch(self, request: rqd_pb2.RqdStaticLaunchFrameRequest) -> Frame | Deferred[Frame]:
        """Validate, reserve, answer; the start comes after the answer."""
        if not request.HasField("run_frame"):
            raise InvalidRequest("the request holds no run_frame")
        return self._host.launch(parse(request.run_frame))

    def abandon(self, frame: Frame) -> None:
        """The caller never learned that its launch was taken: it must not start (SPEC §10)."""
        frame.kill(Kill("the launch call ended before it was answered"))

    def run_frame(self, frame_id: str) -> rqd_pb2.RunFrame:
        """The request as it came."""
        return rqd_pb2.RunFrame.FromString(self._roster.get(_known(frame_id)).spec.request)

    def frame_info(self, frame_id: str) -> report_pb2.RunningFrameInfo:
        return running_frame(self._host.facts(self._roster.get(_known(frame_id))))

    def kill(self, frame_id: str, reason: str) -> None:
        self._roster.kill(_known(frame_id), reason or NO_REASON)

    # -- host ----------------------------------------------------------------------------------

    def report(self) -> report_pb2.HostReport:
        return self._host.report()

    def lock(self, points: int) -> None:
        self._ledger.lock(points)
        self._host.changed()

    def lock_all(self) -> None:
        self._ledger.lock_all()
        self._host.changed()

    def unlock(self, points: int) -> None:
        self._ledger.unlock(points)
        self._host.changed()

    def unlock_all(self) -> None:
        self._ledger.unlock_all()
        self._host.changed()

    def shut_down_now(self) -> None:
        self._host.shut_down("the agent was told to shut down now")

    def unserved(self, method: str) -> None:
        """Answer honestly for what isn't built yet."""
        raise Unavailable(f"{method} is not served by this version of openrqd")


def _known(frame_id: str) -> str:
    if not frame_id:
        raise InvalidRequest("frame_id is empty")
    return frame_id
