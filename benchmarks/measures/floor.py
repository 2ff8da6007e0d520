"""What the driver and the machine cost by themselves, with no agent in between.

A shell that starts the command is the least that a launch can take; a gRPC server that does nothing
is the least that a call can take.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc

from benchmarks.clocks import milliseconds, now
from benchmarks.figures import distribution
from benchmarks.places import STAMP, TREE
from benchmarks.session import Site
from benchmarks.stamps import read_stamps
from rqd.proto import rqd_pb2, rqd_pb2_grpc


def take(site: Site) -> dict[str, Any]:
    """The same keys as those of the latency measure, where there is a floor."""
    rpc = noop_rpc(site.scale.sequence)
    started, ended = bare_spawn(site.scale.sequence, site.scale.frame_ms)
    return {
        "rpc_ms": distribution(rpc),
        "launch_ms": distribution(started),
        "completion_ms": distribution(ended),
    }


def bare_spawn(number: int, frame_ms: int) -> tuple[list[float], list[float]]:
    """Times in ms from a spawn of /bin/sh to the command, and from its end to wait's return."""
    started, ended = [], []
    with tempfile.TemporaryDirectory(prefix="openrqd-bench-") as folder:
        path = Path(folder) / "stamps"
        for _ in range(number):
            path.unlink(missing_ok=True)
            began = now()
            subprocess.run(["/bin/sh", "-c", f"exec {STAMP} {path} {frame_ms}"], check=True)
            returned = now()
            stamps = read_stamps(path)
            assert stamps is not None
            started.append(milliseconds(began, stamps.first))
            ended.append(milliseconds(stamps.last, returned))
            time.sleep(0.01)
    return started, ended


def start(site: Site) -> dict[str, Any]:
    """The time from the exec of a server in Python that does nothing to its first answer."""
    began = now()
    with noop_server() as stub:
        stub.LaunchFrame(rqd_pb2.RqdStaticLaunchFrameRequest(), timeout=10, wait_for_ready=True)
        return {"to_answer_s": now() - began}


def calls(site: Site) -> dict[str, Any]:
    """The same keys as those of calls in the running measure."""
    times = distribution(noop_rpc(site.scale.calls))
    return {"status_rpc_ms": times, "idle": {"status_rpc_ms": times}}


def noop_rpc(number: int) -> list[float]:
    """Times in ms of LaunchFrame calls to a server that only answers."""
    with noop_server() as stub:
        return _time_calls(stub, number)


@contextmanager
def noop_server() -> Iterator[rqd_pb2_grpc.RqdInterfaceStub]:
    """A server that only answers, while it runs."""
    server = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.noop_server"],
        cwd=TREE,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert server.stdout is not None
    try:
        port = int(server.stdout.readline())
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield rqd_pb2_grpc.RqdInterfaceStub(channel)
    finally:
        server.terminate()
        server.communicate()


def _time_calls(stub: rqd_pb2_grpc.RqdInterfaceStub, number: int) -> list[float]:
    frame = rqd_pb2.RunFrame(frame_id="x" * 36, command="x" * 60, environment={"A": "1"})
    request = rqd_pb2.RqdStaticLaunchFrameRequest(run_frame=frame)
    for _ in range(20):
        stub.LaunchFrame(request, timeout=10, wait_for_ready=True)
    times = []
    for _ in range(number):
        began = now()
        stub.LaunchFrame(request, timeout=10)
        times.append(milliseconds(began, now()))
        time.sleep(0.01)
    return times
