"""The host's load in points."""

from __future__ import annotations

import re

_ONE_MINUTE = re.compile(rb"\s*([0-9]{1,9}(?:\.[0-9]{1,9})?)\s")


def read_load(loadavg_path: str, *, threads_per_core: int) -> int:
    """The 1-minute load in points: 100 stand for one busy physical core.

    The kernel counts threads that run or wait, Cuebot compares with cores: hence the division
    by the hyper-threading multiplier. The kernel knows one load, that of the whole machine,
    also in a container. Raises ``OSError``, or ``ValueError`` where the file tells no load.
    """
    with open(loadavg_path, "rb") as loadavg:
        one_minute = _ONE_MINUTE.match(loadavg.read())
    if one_minute is None:
        raise ValueError(f"{loadavg_path} has no load")
    return round(float(one_minute[1]) * 100 / threads_per_core)
