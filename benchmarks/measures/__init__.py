"""The measures by name: each one takes an agent through one session and returns plain figures.

`floor` is what the driver and the machine cost without any agent, measured in the same round.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks.agents import Agent
from benchmarks.measures import (
    busy,
    floor,
    idle,
    latency,
    leak,
    log,
    running,
    startup,
    threads,
    throughput,
)
from benchmarks.session import Site

Figures = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Measure:
    """One measure. A warm-up round comes first, uncounted, where it would otherwise distort."""

    take: Callable[[Agent, Site], Figures]
    floor: Callable[[Site], Figures] | None = None
    warmup: bool = False


MEASURES: Mapping[str, Measure] = {
    "startup": Measure(startup.take, warmup=True),
    "idle": Measure(idle.take),
    "latency": Measure(latency.take, floor=floor.take),
    "throughput": Measure(throughput.take),
    "running": Measure(running.take),
    "threads": Measure(threads.take),
    "log": Measure(log.take),
    "busy": Measure(busy.take),
    "leak": Measure(leak.take),
}
