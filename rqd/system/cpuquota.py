"""How much processor time the agent's control groups grant, e.g. ``docker run --cpus``."""

from __future__ import annotations

import os
from collections.abc import Iterator

from rqd.system.enclosing import Enclosing


def read_cpu_quota(groups: Enclosing) -> int | None:
    """The tightest quota in points, 100 for the time of one processor; None where there is none.

    ``groups`` are those of the ``cpu`` controller. A group without a quota bounds nothing.
    """
    return min(_quotas(groups), default=None)


def _quotas(groups: Enclosing) -> Iterator[int]:
    read = _version_1 if groups.version == 1 else _version_2
    for folder in groups.folders:
        try:
            quota, period = read(folder)
        except (OSError, ValueError):  # no such file: the controller is off here
            continue
        if quota >= 0 and period > 0:
            yield 100 * quota // period


def _version_1(folder: str) -> tuple[int, int]:
    """Microseconds in a period of microseconds; -1 for no quota."""
    return int(_word(folder, "cpu.cfs_quota_us")), int(_word(folder, "cpu.cfs_period_us"))


def _version_2(folder: str) -> tuple[int, int]:
    """The same, from one line; ``max`` for no quota is no number."""
    quota, period = _word(folder, "cpu.max").split()
    return int(quota), int(period)


def _word(folder: str, name: str) -> bytes:
    with open(os.path.join(folder, name), "rb") as file:
        return file.read()
