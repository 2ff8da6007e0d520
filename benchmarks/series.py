"""How the figures of a run grow: with the frames that run, and with a frame's variables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.agents import OURS
from benchmarks.figures import median
from benchmarks.growth import exponent
from benchmarks.results import Result, Run
from benchmarks.table import figure

WITH: Mapping[str, str] = {"crowd": "frames that run", "environment": "variables of a frame"}
"""What the levels of a measure are numbers of."""

LABELS: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "crowd": {
        "up_s": ("time to launch them", "s"),
        "launch_ms": ("launch → command runs, p50", "ms"),
        "completion_ms": ("exit → completion received, p50", "ms"),
        "status_ms": ("ReportStatus, p50", "ms"),
        "cpu_s_per_min": ("CPU a minute", "s"),
        "rss_mib": ("RSS", "MiB"),
        "kill_s": ("kill all → last completion", "s"),
    },
    "environment": {
        "launch_ms": ("launch → command runs, p50", "ms"),
        "completion_ms": ("exit → completion received, p50", "ms"),
        "cpu_ms_per_frame": ("CPU of the agent per frame", "ms"),
    },
}
"""The growing figures of each measure: how they are called, and their unit."""


@dataclass(frozen=True, slots=True)
class Series:
    """A figure at several sizes: the medians of the rounds."""

    label: str
    unit: str
    points: tuple[tuple[int, float], ...]

    @property
    def exponent(self) -> float:
        """Of the power that fits the medians best."""
        return exponent(self.points)


def all_series(run: Run, measure: str) -> list[Series]:
    """The series of a measure, of the last time that it was taken; none if it wasn't."""
    taken = [
        r
        for r in run.results
        if (r.measure, r.agent) == (measure, OURS) and r.figures.get("levels")
    ]
    last = [r for r in taken if r.attempt == taken[-1].attempt]
    found = (
        Series(label, unit, _points(last, key)) for key, (label, unit) in LABELS[measure].items()
    )
    return [series for series in found if series.points]


def _points(results: Sequence[Result], key: str) -> tuple[tuple[int, float], ...]:
    by_size: dict[int, list[float]] = {}
    for result in results:
        for size, figures in result.figures["levels"].items():
            by_size.setdefault(int(size), []).append(figures[key])
    return tuple((size, median(values)) for size, values in sorted(by_size.items()))


def growth_table(series: Sequence[Series]) -> str:
    """A table in Markdown: a row for each figure, a column for each size."""
    sizes = [f"{size:,}" for size, _ in series[0].points]
    heads = ["openrqd", *sizes, "exponent"]
    rows = [
        [
            each.label,
            *(f"{figure(value)} {each.unit}" for _, value in each.points),
            f"{each.exponent:.2f}",
        ]
        for each in series
    ]
    rule = ["---", *["---:"] * (len(heads) - 1)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (heads, rule, *rows))
