"""A cuebot that only listens: `python -m benchmarks.cuebot_peer`, started by the driver.

Serves report.RqdReportInterface on a free port of the loopback and prints one line of JSON for each
report: method, monotonic arrival time, size, and what the measures need of its content. The first
line says which port. Decoding and printing are done by one thread after the answer was given, so
that the clock is read and the agent answered before anything else happens. A line on stdin says how
many seconds each completion waits for its answer from now on. Ends with SIGTERM, or with stdin.
"""

from __future__ import annotations

import json
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable
from concurrent import futures
from typing import Any

import grpc

from benchmarks.clocks import now
from rqd.proto import report_pb2

SERVICE = "report.RqdReportInterface"
METHODS = ("ReportRqdStartup", "ReportStatus", "ReportRunningFrameCompletion")

Arrival = tuple[str, float, bytes]


def content(method: str, request: bytes) -> dict[str, Any]:
    """The few facts of a report that measures use."""
    message = getattr(report_pb2, f"Rqd{method}Request").FromString(request)
    if method == "ReportRunningFrameCompletion":
        report = message.frame_complete_report
        return {
            "frame_id": report.frame.frame_id,
            "exit_status": report.exit_status,
            "exit_signal": report.exit_signal,
        }
    if method == "ReportStatus":
        frames = message.host_report.frames
        return {"frames": len(frames), "with_rss": sum(1 for frame in frames if frame.rss > 0)}
    return {"host": message.boot_report.host.name}


def print_arrivals(arrivals: queue.SimpleQueue[Arrival]) -> None:
    """Print reports for ever, in the order in which they came."""
    while True:
        method, at, request = arrivals.get()
        line = {"method": method, "at": at, "size": len(request), **content(method, request)}
        print(json.dumps(line), flush=True)


class Patience:
    """How long completions wait for their answers, seconds; set by the driver."""

    seconds = 0.0

    def obey_driver(self, stop: threading.Event) -> None:
        """Read stdin to its end, then stop: a driver that was killed leaves no peer behind."""
        for line in sys.stdin:
            self.seconds = float(line)
        stop.set()


def service(note: Callable[[Arrival], None], patience: Patience) -> grpc.GenericRpcHandler:
    """The service, on raw bytes: the answers are empty messages of zero bytes."""

    def answering(method: str) -> grpc.RpcMethodHandler[bytes, bytes]:
        def answer(request: bytes, context: grpc.ServicerContext) -> bytes:
            note((method, now(), request))
            if patience.seconds and method == "ReportRunningFrameCompletion":
                time.sleep(patience.seconds)
            return b""

        return grpc.unary_unary_rpc_method_handler(answer)

    return grpc.method_handlers_generic_handler(SERVICE, {m: answering(m) for m in METHODS})


def main() -> None:
    """Serve until SIGTERM or until the driver is gone."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    arrivals: queue.SimpleQueue[Arrival] = queue.SimpleQueue()
    patience = Patience()
    server = grpc.server(
        futures.ThreadPoolExecutor(max_workers=64),
        options=[("grpc.max_receive_message_length", -1)],
    )
    server.add_generic_rpc_handlers((service(arrivals.put, patience),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(json.dumps({"port": port}), flush=True)
    threading.Thread(target=print_arrivals, args=(arrivals,), daemon=True).start()
    threading.Thread(target=patience.obey_driver, args=(stop,), daemon=True).start()
    stop.wait()
    server.stop(0.2).wait()


if __name__ == "__main__":
    main()
