"""The rounds: who is measured when."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from benchmarks.agents import OURS, Agent
from benchmarks.clocks import now
from benchmarks.measures import MEASURES, Figures
from benchmarks.progress import Progress
from benchmarks.results import FLOOR, Record, Result
from benchmarks.scale import Rounds
from benchmarks.session import Site

REST = 1.0
"""Seconds between steps, for what the last one left the kernel to do."""


@dataclass(frozen=True, slots=True)
class Step:
    """One round of one measure with one agent, or with all at once, or with none for the floor."""

    measure: str
    round: int
    agents: tuple[str, ...]
    take: Callable[[], Mapping[str, Figures]]
    """Takes it; the figures by agent."""

    def __str__(self) -> str:
        counted = "warm-up" if self.round < 0 else f"round {self.round + 1}"
        return f"{self.measure}, {counted}, {' and '.join(self.agents)}"


def steps(
    measures: Sequence[str],
    rounds: Callable[[str], Rounds],
    agents: Sequence[Agent],
    site: Site,
    *,
    shuffle: Callable[[list[Any]], None] = random.shuffle,
) -> Iterator[Step]:
    """All steps in order: by measure, by round, and in each round every side, in any order."""
    for name in measures:
        number = rounds(name)
        for i in range(-1 if MEASURES[name].warmup else 0, max(number)):
            taking = [a for a in agents if i < (number.ours if a.name == OURS else number.others)]
            sides = list(_sides(name, i, taking, site, shuffle))
            shuffle(sides)
            yield from sides


def _sides(
    name: str,
    number: int,
    agents: Sequence[Agent],
    site: Site,
    shuffle: Callable[[list[Any]], None],
) -> Iterator[Step]:
    measure = MEASURES[name]
    if measure.floor is not None:
        yield Step(name, number, (FLOOR,), partial(_floor, measure.floor, site))
    groups = [agents] if measure.together and agents else [[agent] for agent in agents]
    for group in groups:
        order = list(group)
        shuffle(order)
        names = tuple(agent.name for agent in order)
        yield Step(name, number, names, partial(measure.take, order, site))


def _floor(take: Callable[[Site], Figures], site: Site) -> dict[str, Figures]:
    return {FLOOR: take(site)}


def run_steps(
    planned: Sequence[Step], record: Record, progress: Progress, *, attempt: int = 1
) -> None:
    """Take every step; one that fails is recorded with its reason, and the run goes on."""
    for step in planned:
        progress.begin(str(step))
        results = take(step, attempt)
        for result in results:
            record.add(result)
        progress.end(str(step), results[0].error or "ok")
        time.sleep(REST)


def take(step: Step, attempt: int = 1) -> list[Result]:
    """Take one step: a result for each agent."""
    began = now()
    try:
        figures, error = step.take(), ""
    except Exception as problem:
        figures, error = {}, f"{type(problem).__name__}: {problem}"
    seconds = now() - began
    return [
        Result(step.measure, name, step.round, figures.get(name, {}), error, seconds, attempt)
        for name in step.agents
    ]
