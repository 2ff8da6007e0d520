"""The host's load in points."""

from __future__ import annotations


def read_load(loadavg_path: str, *, threads_per_core: int) -> int:
    """The 1-minute load in points: 100 stand for one busy physical core.

    The kernel counts threads that run or wait, Cuebot compares with cores: hence the division
    by the hyper-threading multiplier.
    """
    with open(loadavg_path, "rb") as loadavg:
        one_minute = float(loadavg.read().split(maxsplit=1)[0])
    return round(one_minute * 100 / threads_per_core)
