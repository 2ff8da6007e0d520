"""The chart: how many times better than the classic agent, as bars in an SVG of our own making."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

from benchmarks.summary import Line, Spread
from benchmarks.table import figure
from benchmarks.targets import TIMES

WIDTH, LEFT, RIGHT, TOP, STEP, BAR = 800, 250, 90, 64, 26, 14
BETTER, WORSE, INK, FAINT = "#2a7f62", "#b4532a", "#1c1c1c", "#c9c9c9"


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar: factors above 1 are better than the classic agent, below 1 worse."""

    label: str
    factor: float
    low: float
    high: float
    target: float | None


def bars(lines: Iterable[Line]) -> list[Bar]:
    """The bars of the lines that have a bar and a ratio above nothing."""
    return [
        _bar(line, line.ratio)
        for line in lines
        if line.bar and line.ratio is not None and line.ratio.low > 0
    ]


def _bar(line: Line, ratio: Spread) -> Bar:
    promised = line.row.target
    target = promised.limit if promised and promised.of == "ratio" else None
    if line.row.better == "more":
        return Bar(line.bar, ratio.middle, ratio.low, ratio.high, target)
    return Bar(
        line.bar,
        1 / ratio.middle,
        1 / ratio.high,
        1 / ratio.low,
        None if target is None else 1 / target,
    )


class Scale:
    """Where a factor lies across the chart: logarithmic, so that ½ and 2 are as far from 1."""

    def __init__(self, bars: Sequence[Bar]) -> None:
        factors = [1.0, *(f for bar in bars for f in (bar.low, bar.high, bar.target or 1.0))]
        self.first = min(-1, math.floor(math.log2(min(factors))))
        self.last = max(1, math.ceil(math.log2(max(factors))))

    def x(self, factor: float) -> float:
        """The place of a factor."""
        part = (math.log2(factor) - self.first) / (self.last - self.first)
        return round(LEFT + part * (WIDTH - LEFT - RIGHT), 1)

    def ticks(self) -> list[float]:
        """Powers of two, thinned out to at most ten or so."""
        every = max(1, (self.last - self.first) // 9)
        return [2.0**e for e in range(self.first, self.last + 1) if e % every == 0]


def svg(bars: Sequence[Bar]) -> str:
    """The whole picture."""
    scale = Scale(bars)
    bottom = TOP + len(bars) * STEP
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {bottom + 40}"'
        ' font-family="sans-serif" font-size="12" role="img">'
    )
    parts = [
        head,
        "<title>openrqd compared with the classic agent</title>",
        f'<rect width="{WIDTH}" height="{bottom + 40}" fill="#ffffff"/>',
        drawn_text(16, 24, "Times better than the classic agent", size=16),
        drawn_text(16, 42, "logarithmic; thin line: spread of the rounds; black mark: promised"),
        *(_tick(scale, factor, bottom) for factor in scale.ticks()),
        *(_drawn(scale, bar, TOP + i * STEP) for i, bar in enumerate(bars)),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _tick(scale: Scale, factor: float, bottom: int) -> str:
    x = scale.x(factor)
    colour = INK if factor == 1 else FAINT
    line = f'<line x1="{x}" y1="{TOP - 6}" x2="{x}" y2="{bottom}" stroke="{colour}"/>'
    name = f"{factor:.0f}{TIMES}" if factor >= 1 else f"1/{1 / factor:.0f}"
    return line + drawn_text(x, bottom + 18, name, anchor="middle")


def _drawn(scale: Scale, bar: Bar, y: int) -> str:
    one, end = scale.x(1), scale.x(bar.factor)
    low, high, middle = scale.x(bar.low), scale.x(bar.high), y + BAR / 2
    colour = BETTER if bar.factor >= 1 else WORSE
    parts = [
        drawn_text(LEFT - 10, y + 11, bar.label, anchor="end"),
        _rect(min(one, end), y, abs(end - one), colour),
        f'<line x1="{low}" y1="{middle}" x2="{high}" y2="{middle}" stroke="{INK}"/>',
        drawn_text(max(one, end, high) + 8, y + 11, f"{figure(bar.factor)}{TIMES}"),
    ]
    if bar.target is not None:
        x = scale.x(bar.target)
        parts.append(
            f'<line x1="{x}" y1="{y - 4}" x2="{x}" y2="{y + BAR + 4}"'
            f' stroke="{INK}" stroke-width="3"/>'
        )
    return "".join(parts)


def _rect(x: float, y: float, width: float, colour: str) -> str:
    return f'<rect x="{x}" y="{y}" width="{width:.1f}" height="{BAR}" fill="{colour}"/>'


def drawn_text(x: float, y: float, text: str, *, size: int = 12, anchor: str = "start") -> str:
    """A text at a place, in whatever characters."""
    return (
        f'<text x="{x}" y="{y}" fill="{INK}" font-size="{size}"'
        f' text-anchor="{anchor}">{escape(text)}</text>'
    )
