"""Which processors a control group lets its processes run on (``AllowedCPUs=`` of a unit)."""

from __future__ import annotations

import os

from rqd.system.enclosing import Enclosing

_FILES = {1: "cpuset.effective_cpus", 2: "cpuset.cpus.effective"}


def allowed_processors(groups: Enclosing) -> frozenset[int] | None:
    """Their numbers; None where no group tells. ``groups`` are those of the ``cpuset`` controller.

    The innermost group that has the controller knows of all those above it.
    """
    for folder in groups.folders:
        try:
            with open(os.path.join(folder, _FILES[groups.version]), encoding="ascii") as file:
                return _numbers(file.read())
        except (OSError, ValueError):  # no such file: the controller is off here
            continue
    return None


def _numbers(text: str) -> frozenset[int]:
    """Of a list such as ``0-3,8``; raises ValueError, also for one that is empty."""
    found: set[int] = set()
    for part in text.strip().split(","):
        first, _, last = part.partition("-")
        found.update(range(int(first), int(last or first) + 1))
    return frozenset(found)
