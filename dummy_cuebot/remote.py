"""An agent behind gRPC, its calls as Deferreds in the reactor's thread."""

from __future__ import annotations

from typing import Any

import grpc
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFromThreads

from dummy_cuebot.addresses import CHANNEL_OPTIONS
from dummy_cuebot.client import DEADLINE, CallFailed, explain
from rqd.proto import rqd_pb2, rqd_pb2_grpc


class RemoteAgent:
    """Implements ``hosts.Agent``. Calls are answered in the order that gRPC answers them."""

    def __init__(self, address: str, *, reactor: IReactorFromThreads) -> None:
        self.address = address
        self._reactor = reactor
        self._channel = grpc.insecure_channel(address, options=CHANNEL_OPTIONS)
        self._stub = rqd_pb2_grpc.RqdInterfaceStub(self._channel)
        # A call that nobody refers to is cancelled when it is collected.
        self._under_way: set[Any] = set()

    def report(self, patience: float) -> Deferred[Any]:
        request = rqd_pb2.RqdStaticReportStatusRequest()
        answer = self._call("ReportStatus", request, timeout=patience, wait_for_ready=True)
        return answer.addCallback(lambda response: response.host_report)

    def launch(self, run_frame: Any) -> Deferred[Any]:
        request = rqd_pb2.RqdStaticLaunchFrameRequest(run_frame=run_frame)
        return self._call("LaunchFrame", request, timeout=DEADLINE)

    def kill(self, frame_id: str, reason: str) -> Deferred[Any]:
        request = rqd_pb2.RqdStaticKillRunningFrameRequest(frame_id=frame_id, message=reason)
        return self._call("KillRunningFrame", request, timeout=DEADLINE)

    def close(self) -> None:
        self._channel.close()

    def _call(self, method: str, request: Any, **options: Any) -> Deferred[Any]:
        answer: Deferred[Any] = Deferred()
        call = getattr(self._stub, method).future(request, **options)
        self._under_way.add(call)
        call.add_done_callback(
            lambda call: self._reactor.callFromThread(self._done, method, call, answer)
        )
        return answer

    def _done(self, method: str, call: Any, answer: Deferred[Any]) -> None:
        self._under_way.discard(call)
        try:
            response = call.result()
        except (grpc.RpcError, grpc.FutureCancelledError):
            answer.errback(CallFailed(explain(self.address, method, call), call.code()))
        else:
            answer.callback(response)
