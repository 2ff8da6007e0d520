"""Calls to an agent, timed: one after the other, or many at once."""

from __future__ import annotations

import queue
import random
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import grpc

from benchmarks.clocks import milliseconds, now
from benchmarks.figures import distribution
from benchmarks.scale import CLIENTS
from benchmarks.session import Session
from rqd.proto import rqd_pb2


@dataclass(frozen=True, slots=True)
class Launch:
    """One LaunchFrame call: when it began and returned, and how ("OK" or the error)."""

    frame_id: str
    began: float
    ended: float
    outcome: str


def launch(session: Session, frame: rqd_pb2.RunFrame) -> Launch:
    """Launch a frame."""
    request = rqd_pb2.RqdStaticLaunchFrameRequest(run_frame=frame)
    began = now()
    try:
        session.stub.LaunchFrame(request, timeout=60)
        outcome = "OK"
    except grpc.RpcError as error:
        outcome = f"{error.code().name}: {error.details()}"
    return Launch(frame.frame_id, began, now(), outcome)


def launch_all(session: Session, frames: Sequence[rqd_pb2.RunFrame]) -> list[Launch]:
    """Launch all of them through CLIENTS threads on one channel."""
    waiting: queue.SimpleQueue[rqd_pb2.RunFrame] = queue.SimpleQueue()
    for frame in frames:
        waiting.put(frame)
    launches: list[Launch] = []

    def client() -> None:
        while True:
            try:
                frame = waiting.get_nowait()
            except queue.Empty:
                return
            launches.append(launch(session, frame))

    clients = [threading.Thread(target=client) for _ in range(CLIENTS)]
    for thread in clients:
        thread.start()
    for thread in clients:
        thread.join()
    return launches


def kill_all(session: Session, frame_ids: Sequence[str]) -> int:
    """Kill all of them, CLIENTS at a time; the number of calls that failed."""

    def kill(frame_id: str) -> bool:
        request = rqd_pb2.RqdStaticKillRunningFrameRequest(frame_id=frame_id, message="bench")
        try:
            session.stub.KillRunningFrame(request, timeout=60)
        except grpc.RpcError:
            return True
        return False

    with ThreadPoolExecutor(CLIENTS) as clients:
        return sum(clients.map(kill, frame_ids))


def report_status_latency(session: Session, number: int, pace: float) -> dict[str, Any]:
    """Distribution in ms of ReportStatus calls, one after the other."""
    return paced(lambda _: session.status(timeout=30), number, pace)


def frame_status_latency(session: Session, frame_ids: Sequence[str], pace: float) -> dict[str, Any]:
    """Distribution in ms of GetRunningFrameStatus, one call for each frame."""

    def call(i: int) -> object:
        request = rqd_pb2.RqdStaticGetRunningFrameStatusRequest(frame_id=frame_ids[i])
        return session.stub.GetRunningFrameStatus(request, timeout=30)

    return paced(call, len(frame_ids), pace)


def paced(call: Callable[[int], object], number: int, pace: float) -> dict[str, Any]:
    """Time calls that are `pace` seconds apart, give or take a half: no beat with the agent's.

    Calls that fail are counted, not timed.
    """
    rng = random.Random(number)
    times: list[float] = []
    errors = 0
    for i in range(number):
        began = now()
        try:
            call(i)
            times.append(milliseconds(began, now()))
        except grpc.RpcError:
            errors += 1
        time.sleep(pace * rng.uniform(0.5, 1.5))
    return {**distribution(times), "errors": errors}
