"""An unrelated caller: asks an agent for its status again and again, and tells how long that took.

A program of its own, since a caller that shares its Python with a fuzzer measures the fuzzer:
``python -m tests.integration.prober PORT``, until its standard input ends. Prints milliseconds, one
call a line.
"""

from __future__ import annotations

import select
import sys
import time

import grpc

from rqd.proto import rqd_pb2, rqd_pb2_grpc

#: Seconds between two calls.
_PACE = 0.02


def main(port: str) -> None:
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = rqd_pb2_grpc.RqdInterfaceStub(channel)
        request = rqd_pb2.RqdStaticReportStatusRequest()
        stub.ReportStatus(request, timeout=60)
        while not select.select([sys.stdin], [], [], _PACE)[0]:
            begin = time.perf_counter()
            stub.ReportStatus(request, timeout=60)
            sys.stdout.write(f"{(time.perf_counter() - begin) * 1000:.3f}\n")


if __name__ == "__main__":
    main(sys.argv[1])
