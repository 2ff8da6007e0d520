"""One frame after the other on an idle agent: from launch to command, from end to completion."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from benchmarks.agents import Agent
from benchmarks.calls import launch
from benchmarks.clocks import children_cpu_seconds, milliseconds
from benchmarks.figures import distribution
from benchmarks.places import STAMP
from benchmarks.session import Session, Site
from benchmarks.stamps import read_stamps

NO_VARIABLES: Mapping[str, str] = {}


@dataclass(slots=True)
class Times:
    """Single times in ms, and how many frames went wrong."""

    launch: list[float] = field(default_factory=list)
    rpc: list[float] = field(default_factory=list)
    completion: list[float] = field(default_factory=list)
    lost: int = 0
    wrong: int = 0


def take(agent: Agent, site: Site) -> dict[str, Any]:
    """Time a sequence of short frames, with all as usual."""
    with Session(agent, site, "latency") as session:
        return sequence(session, site.scale.sequence)


def sequence(session: Session, number: int) -> dict[str, Any]:
    """Warm up, then time so many short frames and the agent's CPU over them."""
    time.sleep(1)
    time_frames(session, session.scale.warmup_frames)
    cpu, children = session.cpu(), children_cpu_seconds(session.pids[0])
    times = time_frames(session, number)
    cpu, children = session.cpu() - cpu, children_cpu_seconds(session.pids[0]) - children
    return {
        "launch_ms": distribution(times.launch),
        "rpc_ms": distribution(times.rpc),
        "completion_ms": distribution(times.completion),
        "cpu_ms_per_frame": cpu * 1e3 / number,
        "children_cpu_ms_per_frame": children * 1e3 / number,
        "lost": times.lost,
        "wrong": times.wrong,
    }


def time_frames(session: Session, number: int) -> Times:
    """Run so many frames that stamp their first and last instruction, with short pauses."""
    times, pause = Times(), random.Random(1)
    for _ in range(number):
        time_frame(session, times)
        time.sleep(pause.uniform(0.005, 0.03))
    return times


def time_frame(session: Session, times: Times, variables: Mapping[str, str] = NO_VARIABLES) -> None:
    """Run one such frame; `variables` come on top of the usual environment."""
    path = session.tmp / "stamps"
    path.unlink(missing_ok=True)
    frame = session.frame(f"exec {STAMP} {path} {session.scale.frame_ms}")
    frame.environment.update(variables)
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
