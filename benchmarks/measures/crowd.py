"""What grows with the number of running frames, of three processes each, and how much.

The agent has a stopwatch at its reactor: sampling a thousand frames must not hold up the rest.
"""

from __future__ import annotations

import random
import time
from collections.abc import Mapping
from typing import Any

from benchmarks import accounting
from benchmarks.agents import TIMED, Agent
from benchmarks.calls import report_status_latency
from benchmarks.clocks import now
from benchmarks.figures import median
from benchmarks.growth import exponents
from benchmarks.measures.latency import time_frames
from benchmarks.measures.running import bring_up, kill
from benchmarks.session import Session, Setup, Site
from benchmarks.stretches import reactor_time

TICK = 5.0
"""Seconds between two samples of openrqd, by its configuration."""
TICKS = 2
"""How many of them are watched."""
CALLS = 30
PROBES = 20

GROWING = (
    "up_s",
    "launch_ms",
    "completion_ms",
    "status_ms",
    "cpu_s_per_min",
    "rss_mib",
    "kill_s",
)


def take(agent: Agent, site: Site) -> dict[str, Any]:
    """Bring up, watch and kill as many frames as each level says."""
    with Session(agent, site, "crowd", Setup(way=TIMED)) as session:
        time_frames(session, site.scale.warmup_frames)
        levels = {number: level(session, number) for number in site.scale.levels}
    return {
        "levels": {str(number): figures for number, figures in levels.items()},
        "exponents": exponents(levels, GROWING),
        "reactor": levels[max(levels)]["reactor"],
        "rss_kib_per_frame": per_frame(levels),
    }


def per_frame(levels: Mapping[int, Mapping[str, Any]]) -> float:
    """KiB of the agent's memory for each frame more, between the two highest levels.

    What comes with the first frames and stays the same is in both.
    """
    *_, fewer, more = sorted(levels)
    grown = levels[more]["rss_mib"] - levels[fewer]["rss_mib"]
    return float(grown * 1024 / (more - fewer))


def level(session: Session, number: int) -> dict[str, Any]:
    """The figures while so many frames run."""
    duration = f"{session.scale.sleep}.{random.randrange(10**6, 10**7)}"
    began = now()
    ids, replaced = bring_up(session, number, duration)
    up = now() - began
    time.sleep(2)
    figures = _watched(session) | {"up_s": up, "replaced": replaced}
    figures["status_ms"] = report_status_latency(session, CALLS, 0.03)["p50"]
    times = time_frames(session, PROBES)
    figures["launch_ms"], figures["completion_ms"] = median(times.launch), median(times.completion)
    figures["kill_s"] = kill(session, ids)["kill_to_last_s"]
    return figures


def _watched(session: Session) -> dict[str, Any]:
    """The agent's cost over a window in which the driver does nothing."""
    began, cpu = now(), session.cpu()
    time.sleep(TICKS * TICK)
    ended = now()
    return {
        "cpu_s_per_min": (session.cpu() - cpu) * 60 / (ended - began),
        "rss_mib": accounting.memory([session.daemon.pid])["rss_mib"],
        "reactor": reactor_time(session.stretches, began, ended, TICK),
    }
