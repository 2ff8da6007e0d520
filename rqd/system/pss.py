"""Proportional set size: memory with each shared page split among those who share it."""

from __future__ import annotations

from rqd.system.procstat import UNREADABLE

_GROWTH = 1.1
_GROWTH_KIB = 1024
_OLDEST = 12
"""Passes. What others share changes without a trace in rss; a minute late is soon enough."""


class Pss:
    """The pss of one process, in KiB.

    The kernel walks all of a process's page tables for it: about 10 ms for each GiB.
    So it is read again only when rss has grown by a tenth, or after twelve passes: a process
    that grows to 100 GiB costs about a hundred readings, not one in every pass.
    """

    def __init__(self) -> None:
        self._pss = 0
        self._rss = 0
        self._age = _OLDEST

    def sample(self, folder: str, rss: int) -> int:
        """The pss of the process at ``/proc/<pid>``; never more than its ``rss``."""
        self._age += 1
        if self._age > _OLDEST or rss > self._rss * _GROWTH + _GROWTH_KIB:
            self._pss, self._rss, self._age = _read_pss(folder, rss), rss, 0
        return min(self._pss, rss)


def _read_pss(folder: str, rss: int) -> int:
    """From ``smaps_rollup``; ``rss``, the upper bound, where that is not to be read.

    Old kernels lack the file, and an agent that is not root may not read other users'.
    """
    try:
        with open(f"{folder}/smaps_rollup", "rb", buffering=0) as smaps:
            text = smaps.read(4096)
    except UNREADABLE:
        return rss
    _, found, rest = text.partition(b"\nPss:")
    return int(rest.split(None, 1)[0]) if found else rss
