"""The methods by their names on the wire; each runs in a gRPC thread and crosses the bridge."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rqd.proto import rqd_pb2 as pb
from rqd.proto import rqd_pb2_grpc
from rqd.servant.calls import Calls

if TYPE_CHECKING:
    import grpc

    from rqd.servant.bridge import ReactorBridge

#: Methods of the contract that are not built yet, with their (empty) responses.
_UNSERVED = (
    "NimbyOff",
    "NimbyOn",
    "RebootIdle",
    "RebootNow",
    "RestartRqdIdle",
    "RestartRqdNow",
    "ShutdownRqdIdle",
)


class RqdInterface(rqd_pb2_grpc.RqdInterfaceServicer):
    """``rqd.RqdInterface``."""

    def __init__(self, bridge: ReactorBridge, calls: Calls) -> None:
        self._call = bridge.call
        self._calls = calls

    def LaunchFrame(self, request: Any, context: grpc.ServicerContext) -> Any:
        calls = self._calls
        self._call(context, calls.launch, request, abandoned=calls.abandon)
        return pb.RqdStaticLaunchFrameResponse()

    def GetRunFrame(self, request: Any, context: grpc.ServicerContext) -> Any:
        run_frame = self._call(context, self._calls.run_frame, request.frame_id)
        return pb.RqdStaticGetRunFrameResponse(run_frame=run_frame)

    def GetRunningFrameStatus(self, request: Any, context: grpc.ServicerContext) -> Any:
        info = self._call(context, self._calls.frame_info, request.frame_id)
        return pb.RqdStaticGetRunningFrameStatusResponse(running_frame_info=info)

    def KillRunningFrame(self, request: Any, context: grpc.ServicerContext) -> Any:
        self._call(context, self._calls.kill, request.frame_id, request.message)
        return pb.RqdStaticKillRunningFrameResponse()

    def ReportStatus(self, request: Any, context: grpc.ServicerContext) -> Any:
        report = self._call(context, self._calls.report)
        return pb.RqdStaticReportStatusResponse(host_report=report)

    def Lock(self, request: Any, context: grpc.ServicerContext) -> Any:
        self._call(context, self._calls.lock, request.cores)
        return pb.RqdStaticLockResponse()

    def LockAll(self, request: Any, context: grpc.ServicerContext) -> Any:
        self._call(context, self._calls.lock_all)
        return pb.RqdStaticLockAllResponse()

    def Unlock(self, request: Any, context: grpc.ServicerContext) -> Any:
        self._call(context, self._calls.unlock, request.cores)
        return pb.RqdStaticUnlockResponse()

    def UnlockAll(self, request: Any, context: grpc.ServicerContext) -> Any:
        self._call(context, self._calls.unlock_all)
        return pb.RqdStaticUnlockAllResponse()

    def ShutdownRqdNow(self, request: Any, context: grpc.ServicerContext) -> Any:
        self._call(context, self._calls.shut_down_now)
        return pb.RqdStaticShutdownNowResponse()


class RunningFrame(rqd_pb2_grpc.RunningFrameServicer):
    """``rqd.RunningFrame``: the same by the frame itself instead of its id."""

    def __init__(self, bridge: ReactorBridge, calls: Calls) -> None:
        self._call = bridge.call
        self._calls = calls

    def Kill(self, request: Any, context: grpc.ServicerContext) -> Any:
        self._call(context, self._calls.kill, request.run_frame.frame_id, request.message)
        return pb.RunningFrameKillResponse()

    def Status(self, request: Any, context: grpc.ServicerContext) -> Any:
        info = self._call(context, self._calls.frame_info, request.run_frame.frame_id)
        return pb.RunningFrameStatusResponse(running_frame_info=info)


def _unserved(name: str) -> Any:
    def method(self: RqdInterface, request: Any, context: grpc.ServicerContext) -> Any:
        self._call(context, self._calls.unserved, name)

    return method


for _name in _UNSERVED:
    setattr(RqdInterface, _name, _unserved(_name))


def register(bridge: ReactorBridge, calls: Calls, server: grpc.Server) -> None:
    """Add both services to a server."""
    rqd_pb2_grpc.add_RqdInterfaceServicer_to_server(RqdInterface(bridge, calls), server)
    rqd_pb2_grpc.add_RunningFrameServicer_to_server(RunningFrame(bridge, calls), server)
