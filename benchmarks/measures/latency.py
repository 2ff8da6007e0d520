"""One frame after the other on an idle agent: from launch to command, from end to completion."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field
from typing import Any

from benchmarks.agents import Agent
from benchmarks.calls import launch
from benchmarks.clocks import children_cpu_seconds, milliseconds
from benchmarks.figures import distribution
from benchmarks.places import STAMP
from benchmarks.session import Session, Site
from benchmarks.stamps import read_stamps


@dataclass(slots=True)
class Times:
    """Single times in ms, and how many frames went wrong."""

    launch: list[float] = field(default_factory=list)
    rpc: list[float] = field(default_factory=list)
    completion: list[float] = field(default_factory=list)
    lost: int = 0
    wrong: int = 0


def take(agent: Agent, site: Site) -> dict[str, Any]:
    """Warm up, then time a sequence of short frames and the agent's CPU over it."""
    times, scale = Times(), site.scale
    with Session(agent, site, "latency") as session:
        time.sleep(1)
        for _ in range(scale.warmup_frames):
            time_frame(session, Times())
        cpu, children = session.cpu(), children_cpu_seconds(session.pids[0])
        pause = random.Random(1)
        for _ in range(scale.sequence):
            time_frame(session, times)
            time.sleep(pause.uniform(0.005, 0.03))
        cpu, children = session.cpu() - cpu, children_cpu_seconds(session.pids[0]) - children
    return {
        "launch_ms": distribution(times.launch),
        "rpc_ms": distribution(times.rpc),
        "completion_ms": distribution(times.completion),
        "cpu_ms_per_frame": cpu * 1e3 / scale.sequence,
        "children_cpu_ms_per_frame": children * 1e3 / scale.sequence,
        "lost": times.lost,
        "wrong": times.wrong,
    }


def time_frame(session: Session, times: Times) -> None:
    """Run one frame that stamps its first and last instruction."""
    path = session.tmp / "stamps"
    path.unlink(missing_ok=True)
    frame = session.frame(f"exec {STAMP} {path} {session.scale.frame_ms}")
    call = launch(session, frame)
    if call.outcome != "OK":
        times.wrong += 1
        return
    completion = session.cuebot.wait_completion(frame.frame_id, 30)
    stamps = read_stamps(path)
    if completion is None or stamps is None:
        times.lost += 1
        return
    times.wrong += bool(completion["exit_status"] or completion["exit_signal"])
    times.launch.append(milliseconds(call.began, stamps.first))
    times.rpc.append(milliseconds(call.began, call.ended))
    times.completion.append(milliseconds(stamps.last, completion["at"]))
