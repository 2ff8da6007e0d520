"""The scheduler's side of the contract: ``report.RqdReportInterface``, served by gRPC threads."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import grpc

from dummy_cuebot import followers
from dummy_cuebot.addresses import address
from dummy_cuebot.errors import Problem
from dummy_cuebot.reports import COMPLETION, STARTUP, STATUS, Listener, Report
from rqd.proto import report_pb2, report_pb2_grpc

REPORT_THREADS = 16


@dataclass(frozen=True, slots=True)
class Misbehaviour:
    """How the server tries an agent's patience: ``delay`` in seconds before every answer, and
    the first ``fail_completions`` completions answered with an error status."""

    delay: float = 0.0
    fail_completions: int = 0


class _Servicer(report_pb2_grpc.RqdReportInterfaceServicer):
    """Hands each report to the listener and answers it, in that order."""

    def __init__(
        self, listener: Listener, ends: followers.Followers, misbehaviour: Misbehaviour
    ) -> None:
        self._listener = listener
        self._ends = ends
        self._delay = misbehaviour.delay
        self._failures_left = misbehaviour.fail_completions
        self._lock = threading.Lock()

    def ReportRqdStartup(self, request: Any, context: Any) -> Any:
        self._take(STARTUP, request.boot_report, context)
        return report_pb2.RqdReportRqdStartupResponse()

    def ReportStatus(self, request: Any, context: Any) -> Any:
        self._take(STATUS, request.host_report, context)
        return report_pb2.RqdReportStatusResponse()

    def ReportRunningFrameCompletion(self, request: Any, context: Any) -> Any:
        refused = self._refuses()
        self._take(COMPLETION, request.frame_complete_report, context, refused)
        if refused:
            context.abort(grpc.StatusCode.UNAVAILABLE, "told to fail this completion, retry later")
        self._ends.publish(request.frame_complete_report)
        return report_pb2.RqdReportRunningFrameCompletionResponse()

    def _refuses(self) -> bool:
        with self._lock:
            refuses = self._failures_left > 0
            self._failures_left -= refuses
            return refuses

    def _take(self, kind: str, message: Any, context: Any, refused: bool = False) -> None:
        self._listener(Report(kind, time.time(), context.peer(), message, refused))
        if self._delay:
            time.sleep(self._delay)


class ReportServer:
    """A bound server; ``port`` is the one it got. Serves from ``start`` until ``stop``."""

    def __init__(
        self,
        listener: Listener,
        *,
        interface: str,
        port: int,
        misbehaviour: Misbehaviour | None = None,
    ) -> None:
        ends = followers.Followers()
        self._server = grpc.server(
            ThreadPoolExecutor(REPORT_THREADS + followers.MOST, thread_name_prefix="reports"),
            # Without this a second server on the same port would take half of the reports.
            options=(("grpc.so_reuseport", 0), ("grpc.max_receive_message_length", -1)),
        )
        report_pb2_grpc.add_RqdReportInterfaceServicer_to_server(
            _Servicer(listener, ends, misbehaviour or Misbehaviour()), self._server
        )
        self._server.add_generic_rpc_handlers((_stream_of(ends),))
        self.port = self._bind(address(interface, port))
        self.address = address(interface, self.port)

    def start(self) -> None:
        self._server.start()

    def stop(self) -> None:
        """Ends the calls under way within half a second and closes the port."""
        self._server.stop(0.5).wait()

    def _bind(self, target: str) -> int:
        try:
            bound: int = self._server.add_insecure_port(target)
        except RuntimeError:  # newer grpcio; older ones answer 0
            bound = 0
        if not bound:
            raise Problem(f"can't listen on {target}: is the port taken, or the address not ours?")
        return bound


def _stream_of(ends: followers.Followers) -> Any:
    handler: Any = grpc.unary_stream_rpc_method_handler(
        ends.follow, response_serializer=report_pb2.FrameCompleteReport.SerializeToString
    )
    return grpc.method_handlers_generic_handler(followers.SERVICE, {followers.METHOD: handler})
