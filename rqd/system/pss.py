"""Proportional set size: memory with each shared page split among those who share it.

The kernel walks all of a process's page tables to tell it: some 50 microseconds for a small one,
10 ms for each GiB of a big one. So it is read in turns, within a budget (``PssTurns``), and
estimated between two readings of a process.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterable, Sequence

from rqd.system.procstat import UNREADABLE, read_beginning

_SHARE = 0.01
"""Of one core's time, for readings: 50 ms in every 5 s."""
_FIRST = 0.05
"""Seconds that the first pass may spend."""
_MOST_DEBT = 0.5
"""Seconds. After a process of 100 GiB, readings pause for less than a minute."""
_TURNS = 12
"""Passes from one turn to the next: what others share changes without a trace in rss."""
_GROWTH = 1.1
_GROWTH_KIB = 1024


class Pss:
    """What is known of one process, in KiB; ``rss`` is today's, and whoever knows it sets it."""

    __slots__ = ("_folder", "_pss", "_rss_then", "read_in", "rss")

    def __init__(self, folder: str) -> None:
        """``folder`` is the one of the process in ``/proc``."""
        self._folder = folder
        self._pss = 0
        self._rss_then = 0
        self.rss = 0
        self.read_in: int | None = None
        """The pass of the last reading; before the first, nobody knows anything."""

    @property
    def growth(self) -> float:
        """How much there is to be learned, KiB: beyond a tenth and a MiB since the last reading."""
        if self.read_in is None:
            return math.inf
        grown = self.rss > self._rss_then * _GROWTH + _GROWTH_KIB
        return self.rss - self._rss_then if grown else 0

    def estimate(self, part: float) -> int:
        """Today's pss: as last read, and what came since is taken for the process's own.

        Before the first reading it is that ``part`` of rss.
        """
        if self.read_in is None:
            return int(self.rss * part)
        return min(self.rss, self._pss + max(0, self.rss - self._rss_then))

    def read(self, turn: int) -> None:
        """Read ``smaps_rollup``; where that is not to be read, rss stands in, the upper bound.

        Old kernels lack the file, and an agent that is not root may not read other users'.
        Of a process that ends meanwhile nothing is learned.
        """
        try:
            text = read_beginning(f"{self._folder}/smaps_rollup", 4096)
        except UNREADABLE:
            if not os.path.exists(self._folder):
                return
            text = b""
        _, found, rest = text.partition(b"\nPss:")
        self._pss = int(rest.split(None, 1)[0]) if found else self.rss
        self._rss_then, self.read_in = self.rss, turn


class PssTurns:
    """Decides in each pass of whom pss is read, and reads it.

    First who was never read, then who grew, the most first, then at most a twelfth of all others,
    those whose last turn is the longest ago. A pass may spend a hundredth of the time since the
    one before. A reading that takes more is paid for by the passes that follow.
    """

    def __init__(
        self,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        cpu_time: Callable[[], float] = time.thread_time,
    ) -> None:
        """``cpu_time`` is that of the thread that calls ``take``, seconds."""
        self._monotonic = monotonic
        self._cpu_time = cpu_time
        self._last: float | None = None
        self._debt = 0.0
        self._turn = 0

    def take(self, processes: Sequence[Pss]) -> None:
        """One pass over all that there are."""
        self._turn += 1
        budget, spent = self._budget(), 0.0
        began = self._cpu_time()
        for process in self._queue(processes):
            if spent >= budget:
                break
            process.read(self._turn)
            spent = self._cpu_time() - began
        self._debt = min(_MOST_DEBT, max(0.0, spent - budget))

    def _budget(self) -> float:
        """What this pass may spend, seconds; nothing or less while a debt is being paid off."""
        now, last = self._monotonic(), self._last
        self._last = now
        return (_FIRST if last is None else (now - last) * _SHARE) - self._debt

    def _queue(self, processes: Sequence[Pss]) -> Iterable[Pss]:
        urgent, rest = [], []
        for process in processes:
            growth = process.growth
            if growth:
                urgent.append((growth, process))
            elif self._turn - (process.read_in or 0) >= _TURNS:
                rest.append(process)
        urgent.sort(key=lambda pair: pair[0], reverse=True)
        rest.sort(key=lambda process: process.read_in or 0)
        return [process for _, process in urgent] + rest[: math.ceil(len(processes) / _TURNS)]


def shared_part(processes: Iterable[Pss]) -> float:
    """Which part of their rss is the pss of those that were read; 1 where none was."""
    read = [process for process in processes if process.read_in is not None]
    rss = sum(process.rss for process in read)
    return sum(process.estimate(1.0) for process in read) / rss if rss else 1.0
