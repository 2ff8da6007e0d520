"""Thousands of frames alive at once: is the agent as fast after a minute of that as before?"""

from __future__ import annotations

import random
import time
from typing import Any

from benchmarks import accounting
from benchmarks.agents import Agent
from benchmarks.calls import launch_all
from benchmarks.clocks import milliseconds, now
from benchmarks.figures import median
from benchmarks.measures.latency import Times, time_frame
from benchmarks.measures.running import kill
from benchmarks.session import Session, Site

POINTS = 10
"""Of a core for each frame: there are more frames than cores."""
PART = 10.0
"""Seconds at the beginning and at the end that are compared."""


def take(agent: Agent, site: Site) -> dict[str, Any]:
    """Launch, measure at the beginning and at the end, kill."""
    scale = site.scale
    with Session(agent, site, "many") as session:
        for _ in range(scale.warmup_frames):
            time_frame(session, Times())
        duration = f"{scale.sleep}.{random.randrange(10**6, 10**7)}"
        frames = [session.frame(f"exec sleep {duration}", POINTS) for _ in range(scale.many)]
        began = now()
        ids = [x.frame_id for x in launch_all(session, frames) if x.outcome == "OK"]
        up = now() - began
        _await_all(session, duration)
        began = now()
        first = part(session)
        time.sleep(max(0.0, began + scale.many_seconds - PART - now()))
        last = part(session)
        alive = accounting.sleeping(duration)
        if alive != scale.many:
            raise RuntimeError(f"{alive} of {scale.many} frames were alive at the end")
        killed = kill(session, ids)
        left = accounting.sleeping(duration)
    return {
        "up_s": up,
        "first": first,
        "last": last,
        "last_by_first": {key: last[key] / first[key] for key in first},
        "kill_s": killed["kill_to_last_s"],
        "unreported": killed["killed_unreported"],
        "left": left,
    }


def _await_all(session: Session, duration: str) -> None:
    deadline = now() + session.scale.patience
    while accounting.sleeping(duration) < session.scale.many:
        if now() > deadline:
            raise RuntimeError(f"{session.scale.many} frames never ran at once")
        time.sleep(0.2)


def part(session: Session) -> dict[str, float]:
    """Ten seconds of short frames and calls, one after the other."""
    times, status = Times(), []
    began, cpu = now(), session.cpu()
    frames = 0
    while now() - began < PART:
        time_frame(session, times)
        asked = now()
        session.status()
        status.append(milliseconds(asked, now()))
        time.sleep(0.1)
        frames += 1
    return {
        "launch_ms": median(times.launch),
        "completion_ms": median(times.completion),
        "status_ms": median(status),
        "cpu_s": (session.cpu() - cpu) / frames,
        "rss_mib": accounting.memory([session.daemon.pid])["rss_mib"],
    }
