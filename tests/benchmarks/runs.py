"""Made-up runs for the tests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from benchmarks.results import Result, Run
from benchmarks.scale import FULL
from benchmarks.summary import Line, summarise

ABOUT = {
    "day": "2026-01-31",
    "cores": 2,
    "memory_gib": 4,
    "kernel": "6.1",
    "python": "3.11.2",
    "agents": {"openrqd": "openrqd 1", "classic": "opencue-rqd 1"},
}

SCALE = asdict(FULL)


def run_of(*results: Result, agents: tuple[str, ...] = ("openrqd", "classic")) -> Run:
    """A run in which these agents took part."""
    versions = {name: ABOUT["agents"][name] for name in agents}
    return Run({**ABOUT, "agents": versions}, SCALE, results)


def result(measure: str, agent: str, number: int, figures: Mapping[str, Any]) -> Result:
    """A round that went well."""
    return Result(measure, agent, number, figures, "", 1.0)


def again(measure: str, agent: str, figures: Mapping[str, Any]) -> Result:
    """A round of the second time that a measure was taken."""
    return Result(measure, agent, 0, figures, "", 1.0, attempt=2)


def line_of(run: Run, key: str) -> Line:
    """The line of a run that shows this figure."""
    (found,) = (line for line in summarise(run) if line.row.key == key)
    return found


def failed(measure: str, agent: str, number: int, error: str) -> Result:
    """A round that didn't."""
    return Result(measure, agent, number, {}, error, 1.0)


def throughput(openrqd: list[float], classic: list[float]) -> Run:
    """Rounds of one figure: frames a second."""
    rounds = {"openrqd": openrqd, "classic": classic}
    return run_of(
        *(
            result("throughput", agent, number, {"frames_per_s": value})
            for agent, values in rounds.items()
            for number, value in enumerate(values)
        )
    )
