"""The chart of growth: figures over sizes, both logarithmic, each from where it began."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.chart import FAINT, INK, drawn_text
from benchmarks.results import Run
from benchmarks.series import WITH, Series, all_series
from benchmarks.targets import TIMES

PANEL, HEIGHT, LEFT, TOP, LEGEND = 400, 300, 56, 60, 18
COLOURS = ("#2a7f62", "#b4532a", "#3566a8", "#8a5aa8", "#a8892a", "#4a4a4a", "#c2476b")
STEEPEST = 1.1
"""The exponent that is promised; the dashed line."""


@dataclass(frozen=True, slots=True)
class Plane:
    """Where a size and a factor lie in a panel; both logarithmic."""

    left: float
    sizes: tuple[int, int]
    factors: tuple[float, float]

    def x(self, size: float) -> float:
        """Across: the least size at the left."""
        low, high = map(math.log, self.sizes)
        return round(self.left + (math.log(size) - low) / (high - low) * (PANEL - 90), 1)

    def y(self, factor: float) -> float:
        """Down: the greatest factor at the top."""
        low, high = map(math.log, self.factors)
        return round(TOP + (high - math.log(factor)) / (high - low) * (HEIGHT - 60), 1)


def growth_svg(run: Run) -> str:
    """A panel for each measure that was taken, side by side."""
    panels = [(measure, all_series(run, measure)) for measure in WITH]
    drawn = [(measure, series) for measure, series in panels if series]
    most = max((len(series) for _, series in drawn), default=0)
    width, height = PANEL * max(1, len(drawn)), TOP + HEIGHT + LEGEND * most
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}"'
        ' font-family="sans-serif" font-size="12" role="img">'
    )
    parts = [
        head,
        "<title>How the costs of openrqd grow</title>",
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        drawn_text(16, 24, f"Times its first value (dashed: exponent {STEEPEST})", size=16),
    ]
    for i, (measure, series) in enumerate(drawn):
        parts += panel(LEFT + i * PANEL, WITH[measure], series)
    return "\n".join([*parts, "</svg>"]) + "\n"


def panel(left: float, name: str, series: Sequence[Series]) -> list[str]:
    """One panel: axes, the promise, a line for each figure, and their names below."""
    sizes = sorted({size for each in series for size, _ in each.points})
    plane = Plane(left, (sizes[0], sizes[-1]), _factors(series, sizes))
    steepest = [(size, (size / sizes[0]) ** STEEPEST) for size in (sizes[0], sizes[-1])]
    parts = [drawn_text(left, TOP - 14, name)]
    parts += [_tick(plane, size) for size in sizes] + _levels(plane)
    parts.append(_line(plane, steepest, INK, ' stroke-dasharray="6 4"'))
    for i, each in enumerate(series):
        colour = COLOURS[i % len(COLOURS)]
        y = TOP + HEIGHT - 12 + LEGEND * i
        parts.append(_line(plane, _from_first(each), colour, ' stroke-width="2"'))
        parts.append(f'<rect x="{left}" y="{y - 9}" width="10" height="10" fill="{colour}"/>')
        parts.append(drawn_text(left + 16, y, f"{each.label}: {each.exponent:.2f}"))
    return parts


def _from_first(series: Series) -> list[tuple[float, float]]:
    first = series.points[0][1]
    return [(size, value / first) for size, value in series.points]


def _factors(series: Sequence[Series], sizes: Sequence[int]) -> tuple[float, float]:
    """The least and the most factor to show: room for every line and for the promise."""
    found = [factor for each in series for _, factor in _from_first(each)]
    most = max(*found, (sizes[-1] / sizes[0]) ** STEEPEST)
    return min(0.5, *found), most


def _tick(plane: Plane, size: int) -> str:
    x, bottom = plane.x(size), plane.y(plane.factors[0])
    line = f'<line x1="{x}" y1="{TOP}" x2="{x}" y2="{bottom}" stroke="{FAINT}"/>'
    return line + drawn_text(x, bottom + 16, f"{size:,}", anchor="middle")


def _levels(plane: Plane) -> list[str]:
    """A line and a name for each power of ten, from one on."""
    parts = []
    right = plane.x(plane.sizes[1])
    for power in range(math.floor(math.log10(plane.factors[1])) + 1):
        y = plane.y(10.0**power)
        parts.append(
            f'<line x1="{plane.left}" y1="{y}" x2="{right}" y2="{y}" stroke="{FAINT}"/>'
            + drawn_text(plane.left - 8, y + 4, f"{10**power}{TIMES}", anchor="end")
        )
    return parts


def _line(plane: Plane, points: Sequence[tuple[float, float]], colour: str, style: str) -> str:
    places = " ".join(f"{plane.x(x)},{plane.y(y)}" for x, y in points)
    return f'<polyline points="{places}" fill="none" stroke="{colour}"{style}/>'
