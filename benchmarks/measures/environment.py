"""What grows with the number of environment variables that a frame brings along."""

from __future__ import annotations

import time
from typing import Any

from benchmarks.agents import Agent
from benchmarks.figures import median
from benchmarks.growth import exponents
from benchmarks.measures.latency import Times, time_frame
from benchmarks.session import Session, Site

GROWING = ("launch_ms", "completion_ms", "cpu_ms_per_frame")
VALUE = "/a/path/as/long/as/those/that/farms/put/into/variables/usually/are"


def take(agent: Agent, site: Site) -> dict[str, Any]:
    """Time short frames with each number of variables in one session."""
    with Session(agent, site, "environment") as session:
        time.sleep(1)
        for _ in range(site.scale.warmup_frames):
            time_frame(session, Times())
        levels = {number: level(session, number) for number in site.scale.variables}
    return {
        "levels": {str(number): figures for number, figures in levels.items()},
        "exponents": exponents(levels, GROWING),
    }


def level(session: Session, number: int) -> dict[str, float]:
    """The figures of frames with so many variables on top of the usual ones."""
    times, cpu = Times(), session.cpu()
    variables = {f"BENCH_VARIABLE_{i}": VALUE for i in range(number)}
    for _ in range(session.scale.variable_frames):
        time_frame(session, times, variables)
    return {
        "launch_ms": median(times.launch),
        "completion_ms": median(times.completion),
        "cpu_ms_per_frame": (session.cpu() - cpu) * 1e3 / session.scale.variable_frames,
    }
