"""How figures grow: the exponent of the power that fits them best."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence


def exponent(points: Sequence[tuple[float, float]]) -> float:
    """The slope of the line through the points in logarithms, by least squares.

    0 for what stays the same, 1 for what grows in proportion. NaN where that makes no sense: with
    fewer than two sizes, or figures that aren't above 0.
    """
    if len({x for x, _ in points}) < 2 or any(not y > 0 for _, y in points):
        return math.nan
    xs = [math.log(x) for x, _ in points]
    ys = [math.log(y) for _, y in points]
    x_mean, y_mean = sum(xs) / len(xs), sum(ys) / len(ys)
    above = sum((x - x_mean) * (y - y_mean) for x, y in zip(xs, ys, strict=True))
    return above / sum((x - x_mean) ** 2 for x in xs)


def exponents(levels: Mapping[int, Mapping[str, float]], keys: Iterable[str]) -> dict[str, float]:
    """The exponent of each figure over the levels."""
    return {key: exponent([(n, figures[key]) for n, figures in levels.items()]) for key in keys}
