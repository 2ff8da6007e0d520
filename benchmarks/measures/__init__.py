"""The measures by name: each one takes an agent through one session and returns plain figures.

A measure that takes several agents at once returns the figures of each. `floor` is what the driver
and the machine cost without any agent, measured in the same round.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from benchmarks.agents import Agent
from benchmarks.measures import (
    crowd,
    environment,
    floor,
    latency,
    leak,
    log,
    loud,
    many,
    running,
    scheduler,
    startup,
    threads,
    throughput,
    user,
)
from benchmarks.session import Site

Figures = Mapping[str, Any]
Take = Callable[[Sequence[Agent], Site], Mapping[str, Figures]]


@dataclass(frozen=True, slots=True)
class Measure:
    """One measure. A warm-up round comes first, uncounted, where it would otherwise distort."""

    take: Take
    together: bool = False
    """Whether it takes all agents at once; else each has a step of its own."""
    floor: Callable[[Site], Figures] | None = None
    warmup: bool = False


def _alone(
    take: Callable[[Agent, Site], Figures], agents: Sequence[Agent], site: Site
) -> dict[str, Figures]:
    (agent,) = agents
    return {agent.name: take(agent, site)}


MEASURES: Mapping[str, Measure] = {
    "startup": Measure(partial(_alone, startup.take), floor=floor.start, warmup=True),
    "latency": Measure(partial(_alone, latency.take), floor=floor.take),
    "user": Measure(partial(_alone, user.one_by_one)),
    "throughput": Measure(partial(_alone, throughput.take)),
    "userthroughput": Measure(partial(_alone, user.at_once)),
    "scheduler": Measure(partial(_alone, scheduler.take)),
    "running": Measure(running.take, together=True, floor=floor.calls),
    "threads": Measure(partial(_alone, threads.take)),
    "log": Measure(partial(_alone, log.take)),
    "loud": Measure(partial(_alone, loud.take)),
    "crowd": Measure(partial(_alone, crowd.take)),
    "environment": Measure(partial(_alone, environment.take)),
    "many": Measure(partial(_alone, many.take)),
    "leak": Measure(partial(_alone, leak.take)),
}
