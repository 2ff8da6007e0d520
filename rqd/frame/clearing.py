"""Forgetting frames that are over: their files are removed a batch at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure

from rqd.frame.records import STATE
from rqd.log import Logger
from rqd.logging.interfaces import IWorkers

#: How long files may lie before they go, seconds. Nobody waits for it, and many short frames share
#: one job, where each alone would cost a wake-up of a worker and of the reactor. An agent that dies
#: in between reports an end twice, which is harmless.
PAUSE = 0.5
#: How many lie that long at most.
BATCH = 16


class Removable(Protocol):
    """Something on disk."""

    def remove(self) -> None:
        """In a worker: remove it; what is gone already is fine. Raises OSError."""


class Clearing:
    """What is to be removed."""

    log = Logger()

    def __init__(self, *, reactor: IReactorTime, workers: IWorkers) -> None:
        self._reactor = reactor
        self._workers = workers
        self._over: list[Removable] = []
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
            self._workers.run_for(STATE, remove_all, over).addErrback(self._failed)

    def _failed(self, failure: Failure) -> None:
        self.log.error("files of ended frames stay on disk reason={why}", why=failure.value)


def remove_all(over: Sequence[Removable]) -> None:
    """In a worker: one frame whose files can't be removed doesn't keep the others'."""
    problem = None
    for files in over:
        try:
            files.remove()
        except OSError as error:
            problem = error
    if problem is not None:
        raise problem
