"""Tables in Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.results import FLOOR
from benchmarks.summary import Line, Spread
from benchmarks.targets import TIMES

_MARKS = {
    (True, 1): "✓",
    (True, 2): "✓ the second time",
    (False, 1): "✗ missed",
    (False, 2): "✗ missed twice",
}


def figure(value: float) -> str:
    """A figure with three digits that count, whole numbers as they are."""
    if value == round(value):
        return f"{value:.0f}"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def cell(spread: Spread | None, unit: str = "") -> str:
    """Median, unit, and the least and the most of the rounds if they differ."""
    if spread is None:
        return "-"
    middle = f"{figure(spread.middle)} {unit}".strip()
    low, high = figure(spread.low), figure(spread.high)
    return middle if low == high else f"{middle} ({low} to {high})"


def ratio_cell(line: Line) -> str:
    """The ratio to the classic agent, as a factor."""
    return "-" if line.ratio is None else f"{figure(line.ratio.middle)}{TIMES}"


def table(lines: Sequence[Line], agents: Sequence[str], *, targets: bool) -> str:
    """A table of lines, with the promises beside them if asked for."""
    floors = any(FLOOR in line.spreads for line in lines)
    names = [*agents, *([FLOOR] if floors else [])]
    heads = ["measure", *names, "ratio", *(["target", "Rust agent", "verdict"] if targets else [])]
    rows = [_cells(line, names, targets=targets) for line in lines]
    rule = ["---", *["---:"] * (len(heads) - 1)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (heads, rule, *rows))


def _cells(line: Line, names: Sequence[str], *, targets: bool) -> list[str]:
    cells = [line.label, *(cell(line.spreads.get(n), line.row.unit) for n in names)]
    cells.append(ratio_cell(line))
    if targets:
        cells += [_target(line), line.row.rust or "-", verdict(line)]
    return cells


def verdict(line: Line) -> str:
    """Kept, missed, or not known: what wasn't measured was not kept."""
    return "? not measured" if line.met is None else _MARKS[line.met, line.attempt]


def _target(line: Line) -> str:
    target = line.row.target
    unit = line.row.unit if target and target.of != "ratio" else ""
    return f"{target} {unit}".strip()
