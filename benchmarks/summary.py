"""From the rounds of a run to one line for each row: medians, spread, ratio, verdict."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.agents import CLASSIC, OURS
from benchmarks.figures import median
from benchmarks.results import FLOOR, Result, Run
from benchmarks.rows import ROWS, Row


@dataclass(frozen=True, slots=True)
class Spread:
    """The middle and the ends of a figure over the rounds."""

    middle: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """The spread of at least one value."""
        return cls(median(values), min(values), max(values))


@dataclass(frozen=True, slots=True)
class Line:
    """A row with what a run found: `spreads` by agent, and the floor's where there is one."""

    row: Row
    label: str
    bar: str
    spreads: Mapping[str, Spread]
    ratio: Spread | None
    """openrqd to the classic agent: of the medians, and the ends of the rounds' own ratios."""
    attempt: int = 1
    """2 if it fell short at first and these are the figures of the second time."""

    @property
    def met(self) -> bool | None:
        """Is the promise kept? None if there is none, or if this run can't say."""
        target, ours = self.row.target, self.spreads.get(OURS)
        if target is None or ours is None:
            return None
        if target.of == "ratio":
            return None if self.ratio is None else target.met(self.ratio.middle)
        worst = ours.high if target.bound == "≤" else ours.low
        return target.met(worst if target.of == "each" else ours.middle)


def summarise(run: Run) -> list[Line]:
    """The lines of the measures that were asked for, in the order of the rows.

    Rows without any figure are left out, but never one with a promise.
    """
    measures = run.measures()
    lines = (_verdict(row, run) for row in ROWS if row.measure in measures)
    return [line for line in lines if line.spreads or line.row.target]


def first_time(run: Run) -> list[Line]:
    """The lines of all rows with figures of the first time: of one measure all are of one time."""
    measures = run.measures()
    lines = (_line(row, run, 1) for row in ROWS if row.measure in measures)
    return [line for line in lines if line.spreads]


def short_measures(run: Run) -> list[str]:
    """The measures to take again: a promise of theirs wasn't kept, or a round failed."""
    short = {line.row.measure for line in summarise(run) if line.row.target and not line.met}
    short |= {result.measure for result in run.results if result.error}
    return [name for name in run.measures() if name in short]


def failures(run: Run) -> list[str]:
    """A sentence for each round that gave no figures, the last time that its measure was taken."""
    last = {result.measure: result.attempt for result in run.results}
    return [
        f"{result.measure}, round {result.round + 1}, {result.agent}: {result.error}"
        for result in run.results
        if result.error and result.attempt == last[result.measure]
    ]


def _verdict(row: Row, run: Run) -> Line:
    """The line of the first time, of the second if the first fell short and there is one."""
    first = _line(row, run, 1)
    if row.target is None or first.met:
        return first
    second = _line(row, run, 2)
    return second if OURS in second.spreads else first


def _line(row: Row, run: Run, attempt: int) -> Line:
    results = [result for result in run.results if result.attempt == attempt]
    rounds = {name: _values(row, results, name) for name in (*run.agents(), FLOOR)}
    spreads = {name: Spread.of(list(v.values())) for name, v in rounds.items() if v}
    label, bar = row.label.format_map(run.scale), row.bar.format_map(run.scale)
    return Line(row, label, bar, spreads, _ratio(row, rounds), attempt)


def _values(row: Row, results: Sequence[Result], agent: str) -> dict[int, float]:
    """The figure of each counted round (the warm-up's number is below 0)."""
    found: dict[int, float] = {}
    key = row.against if row.against and agent == CLASSIC else row.key
    for result in results:
        if (result.measure, result.agent) == (row.measure, agent) and result.round >= 0:
            value = _pick(result.figures, key)
            if value is not None:
                found[result.round] = value
    return found


def _pick(figures: Any, key: str) -> float | None:
    for part in key.split("."):
        figures = figures.get(part) if isinstance(figures, Mapping) else None
    if not isinstance(figures, (int, float)) or math.isnan(figures):
        return None
    return float(figures)


def _ratio(row: Row, rounds: Mapping[str, Mapping[int, float]]) -> Spread | None:
    ours, classic = rounds.get(OURS), rounds.get(CLASSIC)
    if not row.better or not ours or not classic or not median(list(classic.values())):
        return None
    pairs = [ours[r] / classic[r] for r in ours if classic.get(r)]
    middle = median(list(ours.values())) / median(list(classic.values()))
    return Spread(middle, min([middle, *pairs]), max([middle, *pairs]))
