"""What an agent's process holds, to compare with later."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

#: Threads that an agent may start once there is work: its pools grow to their limits and stay
#: (docs/architecture.md), whatever the number of calls and frames.
POOLS = 32
#: Descriptors by which an agent may hold more at one time than at another: three for each
#: supervisor that waits for a frame, and their number varies.
BERTHS = 12


@dataclass(frozen=True, slots=True)
class Footprint:
    """Open files, threads, and resident memory in KiB."""

    descriptors: int
    threads: int
    memory: int


def footprint(pid: int) -> Footprint:
    """Of the process as it is now."""
    found = re.search(r"(?m)^VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return Footprint(
        descriptors=len(os.listdir(f"/proc/{pid}/fd")),
        threads=len(os.listdir(f"/proc/{pid}/task")),
        memory=int(found[1]),
    )
