"""The agent keeps to one processor, for as long as nobody else wants that one.

Python runs one thread at a time, and threads of the agent wake each other some sixty times in the
life of a frame. One that is woken on another processor has to wait until that has woken too, and
then for the interpreter's lock, which its waker still holds. On one processor it goes on where its
waker stops (docs/design/one-processor.md). Where others want that processor, the agent lets the
kernel find it another, and stays there.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Set
from contextlib import contextmanager, suppress
from operator import sub
from typing import NamedTuple

from rqd.system.procstat import processor_of, read_stat_line

#: How long the reactor waited for its processor, by the CPU time of the agent: from where on it is
#: crowded there, and up to where it is quiet.
CROWDED, QUIET = 1.0, 0.5


class Waits(NamedTuple):
    """Since the agent began, in nanoseconds."""

    waited: int
    """The reactor's thread, ready to run, for a processor."""
    ran: int
    """All threads of the agent."""
    others_ran: int
    """All but the reactor's: for these it may have waited as well, and that says nothing."""


class OwnProcessor:
    """Where the agent's threads may run. For the reactor's thread, but for ``roam``.

    What the kernel does not tell, or does not let happen, leaves them free.
    """

    def __init__(self, proc_root: str = "/proc") -> None:
        self._proc = proc_root
        self._everywhere = os.sched_getaffinity(0)
        self._place: Set[int] = self._everywhere
        self._before = Waits(0, 0, 0)

    def settle(self) -> None:
        """Stay on the processor that the reactor runs on."""
        with suppress(OSError):
            self._before = self._waits()
            self._move({self._current()})

    def look(self) -> None:
        """Once a tick: see whether it is crowded here, or quiet where the kernel put the agent."""
        with suppress(OSError):
            before, self._before = self._before, self._waits()
            share = crowding(before, self._before)
            if not self._is_free and share > CROWDED:
                self._move(self._everywhere)
            elif self._is_free and share < QUIET:
                self._move({self._current()})

    @contextmanager
    def everywhere(self) -> Iterator[None]:
        """For what is started meanwhile: a child may run where the agent may."""
        if self._is_free:
            yield
            return
        _allow(0, self._everywhere)
        try:
            yield
        finally:
            _allow(0, self._place)

    def roam(self, roams: bool) -> None:
        """In any thread: whether its work is long, so that it had better go where there is room."""
        _allow(0, self._everywhere if roams else self._place)

    @property
    def _is_free(self) -> bool:
        return self._place is self._everywhere

    def _move(self, place: Set[int]) -> None:
        """Threads that are started later inherit this from those that start them."""
        self._place = place
        for thread in os.listdir(f"{self._proc}/self/task"):
            _allow(int(thread), place)

    def _current(self) -> int:
        return processor_of(read_stat_line(f"{self._proc}/thread-self/stat"))

    def _waits(self) -> Waits:
        waited = int(read_stat_line(f"{self._proc}/thread-self/schedstat").split()[1])
        ran = time.process_time_ns()
        return Waits(waited, ran, ran - time.thread_time_ns())


def crowding(before: Waits, now: Waits) -> float:
    """How long the reactor waited for others than the agent, by the agent's CPU time."""
    waited, ran, others_ran = map(sub, now, before)
    return max(0, waited - others_ran) / max(ran, 1)


def _allow(thread: int, processors: Set[int]) -> None:
    """It may have ended, and none of these may be among those that its control group has now."""
    with suppress(OSError):
        os.sched_setaffinity(thread, processors)
