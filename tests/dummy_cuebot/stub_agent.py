"""The least that an agent can be: gRPC in front of `sh -c`. For tests of its clients.

Real calls, real processes, real reports; no log, no environment, no statistics.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc

from rqd.proto import report_pb2, report_pb2_grpc, rqd_pb2, rqd_pb2_grpc

CORES = 200


class StubAgent(rqd_pb2_grpc.RqdInterfaceServicer):
    """Serves on a free loopback port from construction to ``stop``, which kills its frames.

    Silent until it is told where to report.
    """

    def __init__(self, name: str = "stub") -> None:
        self.name = name
        self.calls: list[Any] = []
        self._lock = threading.Lock()
        self._frames: dict[str, tuple[Any, subprocess.Popen[bytes]]] = {}
        self._followers: list[threading.Thread] = []
        self._cuebot: Any = None
        self._server = grpc.server(ThreadPoolExecutor(8), options=(("grpc.so_reuseport", 0),))
        rqd_pb2_grpc.add_RqdInterfaceServicer_to_server(self, self._server)
        self.port: int = self._server.add_insecure_port("127.0.0.1:0")
        self._server.start()

    def report_to(self, cuebot: str) -> None:
        """Reports the start-up now, and completions from now on."""
        self._cuebot = grpc.insecure_channel(cuebot)
        self._report("ReportRqdStartup", self._startup())

    def stop(self) -> None:
        with self._lock:
            for _, process in self._frames.values():
                os.killpg(process.pid, signal.SIGKILL)
        for follower in self._followers:
            follower.join()
        self._server.stop(None).wait()
        if self._cuebot:
            self._cuebot.close()

    # RqdInterface

    def LaunchFrame(self, request: Any, context: Any) -> Any:
        frame = request.run_frame
        with self._lock:
            self.calls.append(request)
            if frame.num_cores > CORES - self._booked():
                context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "no idle cores")
            process = subprocess.Popen(["/bin/sh", "-c", frame.command], start_new_session=True)
            self._frames[frame.frame_id] = (frame, process)
            self._followers.append(threading.Thread(target=self._follow, args=(frame, process)))
            self._followers[-1].start()
        return rqd_pb2.RqdStaticLaunchFrameResponse()

    def KillRunningFrame(self, request: Any, context: Any) -> Any:
        self.calls.append(request)
        os.killpg(self._known(request, context)[1].pid, signal.SIGTERM)
        return rqd_pb2.RqdStaticKillRunningFrameResponse()

    def GetRunningFrameStatus(self, request: Any, context: Any) -> Any:
        frame, _ = self._known(request, context)
        info = report_pb2.RunningFrameInfo(frame_id=frame.frame_id, frame_name=frame.frame_name)
        return rqd_pb2.RqdStaticGetRunningFrameStatusResponse(running_frame_info=info)

    def ReportStatus(self, request: Any, context: Any) -> Any:
        with self._lock:
            cores = report_pb2.CoreDetail(
                total_cores=CORES, idle_cores=CORES - self._booked(), booked_cores=self._booked()
            )
        report = report_pb2.HostReport(host=self._host(), core_info=cores)
        return rqd_pb2.RqdStaticReportStatusResponse(host_report=report)

    def Lock(self, request: Any, context: Any) -> Any:
        self.calls.append(request)
        return rqd_pb2.RqdStaticLockResponse()

    # What it does by itself

    def _follow(self, frame: Any, process: subprocess.Popen[bytes]) -> None:
        status = process.wait()
        with self._lock:
            del self._frames[frame.frame_id]
        info = report_pb2.RunningFrameInfo(
            frame_id=frame.frame_id,
            resource_id=frame.resource_id,
            job_name=frame.job_name,
            frame_name=frame.frame_name,
        )
        report = report_pb2.FrameCompleteReport(
            host=self._host(),
            frame=info,
            exit_status=1 if status < 0 else status,
            exit_signal=-status if status < 0 else 0,
        )
        self._report(
            "ReportRunningFrameCompletion",
            report_pb2.RqdReportRunningFrameCompletionRequest(frame_complete_report=report),
        )

    def _report(self, method: str, request: Any) -> None:
        """Again and again until it is taken; a Cuebot that has gone is given up."""
        stub = self._cuebot and report_pb2_grpc.RqdReportInterfaceStub(self._cuebot)
        for _ in range(5 if stub else 0):
            try:
                getattr(stub, method)(request, timeout=10)
            except grpc.RpcError:
                continue
            return

    def _startup(self) -> Any:
        cores = report_pb2.CoreDetail(total_cores=CORES, idle_cores=CORES)
        report = report_pb2.BootReport(host=self._host(), core_info=cores)
        return report_pb2.RqdReportRqdStartupRequest(boot_report=report)

    def _host(self) -> Any:
        return report_pb2.RenderHost(name=self.name)

    def _booked(self) -> int:
        return sum(frame.num_cores for frame, _ in self._frames.values())

    def _known(self, request: Any, context: Any) -> tuple[Any, subprocess.Popen[bytes]]:
        known = self._frames.get(request.frame_id)
        if known is None:
            context.abort(grpc.StatusCode.NOT_FOUND, "no such frame")
        return known
