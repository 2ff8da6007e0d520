"""Control groups of a test's own, as the kernel has them."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from twisted.trial.unittest import TestCase

from rqd.system import cgroups
from tests.environments import lacks


def new_group(case: TestCase) -> Path:
    """An empty group below that of this process, until the end of the test; skips without one."""
    own = cgroups.own_group()
    if own is None or not os.access(own, os.W_OK):
        lacks("no control group that can be written to")
    group = Path(tempfile.mkdtemp(prefix="openrqd-test-", dir=own))
    case.addCleanup(cgroups.remove, group)
    return group


def joining(group: Path, *program: str) -> list[str]:
    """The command that runs a program in a group."""
    return ["sh", "-c", 'echo 0 > "$0" && exec "$@"', f"{group}/cgroup.procs", *program]
