"""Forgetting frames that are over: their files are removed a batch at a time.

What can't be removed (a disk that is read-only, say) is said once, and tried again until it can.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure

from rqd.frame.statedisk import StateDisk
from rqd.log import Logger
from rqd.logging.mounts import WorkersStopped

#: How long files may lie before they go, seconds. Nobody waits for it, and many short frames share
#: one job, where each alone would cost a wake-up of a worker and of the reactor. An agent that dies
#: in between reports an end twice, which is harmless.
PAUSE = 0.5
#: How many lie that long at most.
BATCH = 16
#: Seconds until what could not be removed is tried again.
RETRY = 30.0


class Removable(Protocol):
    """Something on disk."""

    def remove(self) -> None:
        """In a worker: remove it; what is gone already is fine. Raises OSError."""


class Clearing:
    """What is to be removed."""

    log = Logger()

    def __init__(self, *, reactor: IReactorTime, disk: StateDisk) -> None:
        self._reactor = reactor
        self._disk = disk
        self._over: list[Removable] = []
        self._stuck: list[Removable] = []
        self._said = False
        self._timer: IDelayedCall | None = None

    def add(self, files: Removable) -> None:
        """Remove these files soon."""
        self._over.append(files)
        if len(self._over) >= BATCH:
            self.flush()
        elif self._timer is None:
            self._timer = self._reactor.callLater(PAUSE, self.flush)

    def flush(self) -> None:
        """Remove what there is now; the agent's stop does not wait for the pause."""
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None
        over, self._over = self._over, []
        if over:
            self._remove(over)

    def _remove(self, over: Sequence[Removable]) -> None:
        self._disk.run(remove_all, over).addCallbacks(self._tried, self._failed)

    def _tried(self, left: tuple[list[Removable], OSError | None]) -> None:
        files, problem = left
        if files and not self._stuck:
            self._reactor.callLater(RETRY, self._try_again)
        if files and not self._said:
            self._said = True
            self.log.error("files of ended frames stay for now reason={why}", why=problem)
        self._stuck += files

    def _try_again(self) -> None:
        stuck, self._stuck = self._stuck, []
        tried = self._disk.run(remove_all, stuck).addCallback(self._tried)
        tried.addCallbacks(self._tried_again, self._failed)

    def _tried_again(self, _: None) -> None:
        self._said = bool(self._stuck)

    def _failed(self, failure: Failure) -> None:
        failure.trap(WorkersStopped)


def remove_all(over: Sequence[Removable]) -> tuple[list[Removable], OSError | None]:
    """In a worker: return those whose files can't be removed, and why the last of them can't."""
    left: list[Removable] = []
    problem = None
    for files in over:
        try:
            files.remove()
        except OSError as error:
            left.append(files)
            problem = error
    return left, problem
