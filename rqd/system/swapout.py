"""Pages swapped out per second: the sign of a host that has run out of memory."""

from __future__ import annotations

import re
from collections.abc import Callable

_SHORTEST_INTERVAL = 1.0
"""Seconds. A rate over less is noise; reports on demand may follow each other closely."""


_PAGES_OUT = re.compile(rb"pswpout ([0-9]{1,20})\s")


class SwapoutRate:
    """The rate between two samples. Cuebot takes an integer only, so it is one."""

    def __init__(self, vmstat_path: str, *, monotonic: Callable[[], float]) -> None:
        self._path = vmstat_path
        self._monotonic = monotonic
        self._last_at = monotonic()
        self._last_pages = _pages_out(vmstat_path)
        self._rate = 0

    def sample(self) -> int:
        """Whole pages per second since the last sample; the same again within a second."""
        now = self._monotonic()
        seconds = now - self._last_at
        if seconds >= _SHORTEST_INTERVAL:
            pages = _pages_out(self._path)
            self._rate = max(0, int((pages - self._last_pages) / seconds))
            self._last_at, self._last_pages = now, pages
        return self._rate


def _pages_out(vmstat_path: str) -> int:
    """Pages swapped out since boot; 0 from a kernel that does not swap."""
    with open(vmstat_path, "rb") as vmstat:
        for line in vmstat:
            if found := _PAGES_OUT.match(line):
                return int(found[1])
    return 0
