"""Percentiles and distributions of measured values."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence


def percentile(values: Sequence[float], percent: float) -> float:
    """The percentile, linear between the closest ranks; NaN of nothing."""
    if not values:
        return math.nan
    ordered = sorted(values)
    rank = (len(ordered) - 1) * percent / 100.0
    below, above = math.floor(rank), math.ceil(rank)
    return ordered[below] + (ordered[above] - ordered[below]) * (rank - below)


def median(values: Sequence[float]) -> float:
    """The value in the middle; NaN of nothing."""
    return percentile(values, 50)


def distribution(values: Iterable[float]) -> dict[str, float]:
    """What is kept of many single times: their number, ends, mean and usual percentiles."""
    kept = list(values)
    if not kept:
        return {"n": 0}
    return {
        "n": len(kept),
        "min": min(kept),
        "p50": percentile(kept, 50),
        "p95": percentile(kept, 95),
        "p99": percentile(kept, 99),
        "max": max(kept),
        "mean": sum(kept) / len(kept),
    }
