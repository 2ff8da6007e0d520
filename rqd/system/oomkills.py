"""What the kernel killed for want of memory, as far as it counts that.

A frame's own control group tells for sure, where it has one with the memory controller. Elsewhere
there are only counts of the whole host (``/proc/vmstat``) and of the group that the agent was
started in, or that is kept for frames: they step shortly before the killed process is seen to have
ended.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence

from rqd.system.cgroups import own_group
from rqd.system.enclosing import enclosing_groups
from rqd.system.home import OWN
from rqd.system.procstat import read_beginning

WINDOW = 60.0
"""Seconds. Freeing 100 GiB takes that long, and only then the process has ended."""


class OomKills:
    """Counts whose steps are remembered for a minute. Used on the reactor: small kernel files."""

    def __init__(
        self, counters: Sequence[str], *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """``counters`` are files with a line ``oom_kill N``; what is missing counts nothing."""
        self._counters = counters
        self._monotonic = monotonic
        self._seen: deque[tuple[float, int]] = deque([(monotonic(), self._count())])

    def look(self) -> None:
        """Note the counts; to be called every few seconds."""
        now = self._monotonic()
        self._seen.append((now, self._count()))
        while len(self._seen) > 1 and self._seen[1][0] <= now - WINDOW:
            self._seen.popleft()

    def stepped(self, within: float) -> bool:
        """Whether the kernel has killed anything in the last seconds (a minute at most)."""
        since = self._monotonic() - within
        earlier = [count for at, count in self._seen if at <= since] or [self._seen[0][1]]
        return self._count() > earlier[-1]

    def _count(self) -> int:
        return sum(map(read_oom_kills, self._counters))


def read_oom_kills(path: str) -> int:
    """The number behind ``oom_kill`` in ``memory.events``, ``memory.oom_control`` or ``vmstat``.

    0 where there is no such file or line.
    """
    try:
        text = b"\n" + read_beginning(path, 1 << 16)
    except OSError:
        return 0
    _, found, rest = text.partition(b"\noom_kill ")
    return int(rest.split(None, 1)[0]) if found else 0


def counters(proc_root: str = "/proc", membership: str = OWN) -> list[str]:
    """The files that count kills on this host, and in the group that frames are in, or below.

    That is the agent's own, or the one of which ``membership`` tells.
    """
    found = [f"{proc_root}/vmstat"]
    memory = enclosing_groups("memory", proc_root=proc_root, membership=membership)
    if memory.version == 1 and memory.folders:
        found.append(f"{memory.folders[0]}/memory.oom_control")
    version_2 = own_group(proc_root, membership)
    if version_2 is not None:
        found.append(f"{version_2}/memory.events")
    return found
