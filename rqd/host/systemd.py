"""Whether systemd runs this very process, and as which unit."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import NamedTuple


class Unit(NamedTuple):
    """A service; ``by_user`` where it is one of a user's own manager."""

    name: str
    by_user: bool


def own_unit(environ: Mapping[str, str], pid: int, proc_root: str = "/proc") -> Unit | None:
    """Return the unit whose main process is ``pid``, or None.

    ``INVOCATION_ID`` alone says too little: every shell in a desktop's terminal inherits one.
    systemd puts the pid of the unit's own process beside it (``SYSTEMD_EXEC_PID``, from v248).
    """
    if not environ.get("INVOCATION_ID") or environ.get("SYSTEMD_EXEC_PID") != str(pid):
        return None
    try:
        with open(os.path.join(proc_root, str(pid), "cgroup"), encoding="utf-8") as groups:
            return _unit_in(groups.read())
    except (OSError, ValueError):
        return None


def _unit_in(groups: str) -> Unit | None:
    """The innermost service of systemd's own hierarchy: v2's, or v1's that is named after it."""
    for line in groups.splitlines():
        _, controllers, path = line.split(":", 2)
        services = [part for part in path.split("/") if part.endswith(".service")]
        if controllers in ("", "name=systemd") and services:
            return Unit(services[-1], by_user=services[0].startswith("user@"))
    return None
