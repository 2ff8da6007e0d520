"""The rounds: who is measured when."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from benchmarks.agents import Agent
from benchmarks.clocks import now
from benchmarks.measures import MEASURES, Figures
from benchmarks.progress import Progress
from benchmarks.results import FLOOR, Record, Result
from benchmarks.session import Site

REST = 1.0
"""Seconds between steps, for what the last one left the kernel to do."""


@dataclass(frozen=True, slots=True)
class Step:
    """One round of one measure with one agent, or with none for the floor."""

    measure: str
    round: int
    agent: str
    take: Callable[[], Figures]

    def __str__(self) -> str:
        counted = "warm-up" if self.round < 0 else f"round {self.round + 1}"
        return f"{self.measure}, {counted}, {self.agent}"


def steps(
    measures: Sequence[str], rounds: Callable[[str], int], agents: Sequence[Agent], site: Site
) -> Iterator[Step]:
    """All steps in order: by measure, by round, and in each round every agent.

    Each round begins with another agent, so that none is always the one that comes after.
    """
    for name in measures:
        measure = MEASURES[name]
        for number in range(-1 if measure.warmup else 0, rounds(name)):
            if measure.floor is not None:
                yield Step(name, number, FLOOR, partial(measure.floor, site))
            for k in range(len(agents)):
                agent = agents[(k + number) % len(agents)]
                yield Step(name, number, agent.name, partial(measure.take, agent, site))


def run_steps(planned: Sequence[Step], record: Record, progress: Progress) -> None:
    """Take every step; one that fails is recorded with its reason, and the run goes on."""
    for step in planned:
        progress.begin(str(step))
        result = take(step)
        record.add(result)
        progress.end(str(step), result.error or "ok")
        time.sleep(REST)


def take(step: Step) -> Result:
    """Take one step."""
    began = now()
    try:
        figures, error = step.take(), ""
    except Exception as problem:
        figures, error = {}, f"{type(problem).__name__}: {problem}"
    return Result(step.measure, step.agent, step.round, figures, error, now() - began)
