"""The methods by their names on the wire; each runs in a gRPC thread and crosses the bridge."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from rqd.proto import rqd_pb2 as pb
from rqd.proto import rqd_pb2_grpc
from rqd.proto.report_pb2 import HostReport
from rqd.servant.frame_calls import FrameCalls
from rqd.servant.host_calls import HostCalls
from rqd.system.condition import IdleAction

if TYPE_CHECKING:
    import grpc

    from rqd.servant.bridge import ReactorBridge


class RqdInterface(rqd_pb2_grpc.RqdInterfaceServicer):
    """``rqd.RqdInterface``."""

    def __init__(self, bridge: ReactorBridge, frames: FrameCalls, host: HostCalls) -> None:
        self._call: Callable[..., Any] = bridge.call
        self._frames = frames
        self._host = host

    # -- frames --------------------------------------------------------------------------------

    def LaunchFrame(self, request: Any, context: grpc.ServicerContext) -> Any:
        frames = self._frames
        self._call(context, frames.launch, request, abandoned=frames.abandon)
        return pb.RqdStaticLaunchFrameResponse()

    def GetRunFrame(self, request: Any, context: grpc.ServicerContext) -> Any:
        run_frame = self._call(context, self._frames.run_frame, request.frame_id)
        return pb.RqdStaticGetRunFrameResponse(run_frame=run_frame)

    def GetRunningFrameStatus(self, request: Any, context: grpc.ServicerContext) -> Any:
        info = self._call(context, self._frames.frame_info, request.frame_id)
        return pb.RqdStaticGetRunningFrameStatusResponse(running_frame_info=info)

    def KillRunningFrame(self, request: Any, context: grpc.ServicerContext) -> Any:
        self._call(context, self._frames.kill, request.frame_id, request.message)
        return pb.RqdStaticKillRunningFrameResponse()

    # -- the host ------------------------------------------------------------------------------

    def ReportStatus(self, request: Any, context: grpc.ServicerContext) -> Any:
        report = HostReport.FromString(self._call(context, self._host.report))
        return pb.RqdStaticReportStatusResponse(host_report=report)

    def Lock(self, request: Any, context: grpc.ServicerContext) -> Any:
        self._call(context, self._host.lock, request.cores)
        return pb.RqdStaticLockResponse()

    def LockAll(self, request: Any, context: grpc.ServicerContext) -> Any:
        self._call(context, self._host.lock_all)
        return pb.RqdStaticLockAllResponse()

    def Unlock(self, request: Any, context: grpc.ServicerContext) -> Any:
        self._call(context, self._host.unlock, request.cores)
        return pb.RqdStaticUnlockResponse()

    def UnlockAll(self, request: Any, context: grpc.ServicerContext) -> Any:
        self._call(context, self._host.unlock_all)
        return pb.RqdStaticUnlockAllResponse()

    def NimbyOn(self, request: Any, context: grpc.ServicerContext) -> Any:
        self._call(context, self._host.nimby_on)
        return pb.RqdStaticNimbyOnResponse()

    def NimbyOff(self, request: Any, context: grpc.ServicerContext) -> Any:
        self._call(context, self._host.nimby_off)
        return pb.RqdStaticNimbyOffResponse()

    def RebootNow(self, request: Any, context: grpc.ServicerContext) -> Any:
        self._call(context, self._host.reboot_now)
        return pb.RqdStaticRebootNowResponse()

    def RebootIdle(self, request: Any, context: grpc.ServicerContext) -> Any:
        self._call(context, self._host.when_idle, IdleAction.REBOOT)
        return pb.RqdStaticRebootIdleResponse()

    def ShutdownRqdNow(self, request: Any, context: grpc.ServicerContext) -> Any:
        self._call(context, self._host.shut_down_now)
        return pb.RqdStaticShutdownNowResponse()

    def ShutdownRqdIdle(self, request: Any, context: grpc.ServicerContext) -> Any:
        self._call(context, self._host.when_idle, IdleAction.SHUTDOWN)
        return pb.RqdStaticShutdownIdleResponse()

    def RestartRqdNow(self, request: Any, context: grpc.ServicerContext) -> Any:
        self._call(context, self._host.restart_now)
        return pb.RqdStaticRestartNowResponse()

    def RestartRqdIdle(self, request: Any, context: grpc.ServicerContext) -> Any:
        self._call(context, self._host.when_idle, IdleAction.RESTART)
        return pb.RqdStaticRestartIdleResponse()


class RunningFrame(rqd_pb2_grpc.RunningFrameServicer):
    """``rqd.RunningFrame``: the same by the frame itself instead of its id."""

    def __init__(self, bridge: ReactorBridge, frames: FrameCalls) -> None:
        self._call: Callable[..., Any] = bridge.call
        self._frames = frames

    def Kill(self, request: Any, context: grpc.ServicerContext) -> Any:
        self._call(context, self._frames.kill, request.run_frame.frame_id, request.message)
        return pb.RunningFrameKillResponse()

    def Status(self, request: Any, context: grpc.ServicerContext) -> Any:
        info = self._call(context, self._frames.frame_info, request.run_frame.frame_id)
        return pb.RunningFrameStatusResponse(running_frame_info=info)


def register(
    bridge: ReactorBridge, frames: FrameCalls, host: HostCalls, server: grpc.Server
) -> None:
    """Add both services to a server."""
    rqd_pb2_grpc.add_RqdInterfaceServicer_to_server(RqdInterface(bridge, frames, host), server)
    rqd_pb2_grpc.add_RunningFrameServicer_to_server(RunningFrame(bridge, frames), server)
