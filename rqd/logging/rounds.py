"""Looking at many logs at once.

Frames that write to their logs themselves are looked at now and then. One job a mount does for all
of them: a job for each log would cost more than everything else that a quiet frame costs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure

from rqd.log import Logger
from rqd.logging.interfaces import IWorkers
from rqd.logging.mounts import WorkersStopped

PERIOD = 2.0
"""Seconds between two looks at a log."""

Found = tuple[int, float] | OSError
"""Bytes of output and the time of the last, or why that can't be told."""


class Watched(Protocol):
    """A log that wants to be looked at."""

    path: str

    def look(self) -> tuple[int, float]:
        """In a worker: raises OSError."""

    def looked(self, found: Found) -> None:
        """On the reactor: what the look found."""


class Rounds:
    """The logs of all mounts; on the reactor."""

    def __init__(
        self, *, reactor: IReactorTime, workers: IWorkers, mount_of: Callable[[str], str]
    ) -> None:
        """``mount_of`` tells the mount that a path is on, by any name."""
        self._reactor = reactor
        self._workers = workers
        self._mount_of = mount_of
        self._rounds: dict[str, _Round] = {}
        self._where: dict[Watched, _Round] = {}

    def join(self, log: Watched) -> None:
        """Look at this one, too, from the next round of its mount on."""
        mount = self._mount_of(log.path)
        joined = self._rounds.get(mount)
        if joined is None:
            joined = self._rounds[mount] = _Round(self._reactor, self._workers)
        self._where[log] = joined
        joined.add(log)

    def leave(self, log: Watched) -> None:
        """Look at it no more; it may never have joined."""
        joined = self._where.pop(log, None)
        if joined is not None:
            joined.remove(log)


class _Round:
    """The logs of one mount: one job at a time, none while there are no logs."""

    log = Logger()

    def __init__(self, reactor: IReactorTime, workers: IWorkers) -> None:
        self._reactor = reactor
        self._workers = workers
        self._logs: dict[Watched, None] = {}
        self._under_way = False
        self._call: IDelayedCall | None = None

    def add(self, log: Watched) -> None:
        self._logs[log] = None
        self._plan()

    def remove(self, log: Watched) -> None:
        del self._logs[log]
        if not self._logs and self._call is not None:
            self._call.cancel()
            self._call = None

    def _plan(self) -> None:
        if self._logs and self._call is None and not self._under_way:
            self._call = self._reactor.callLater(PERIOD, self._go)

    def _go(self) -> None:
        self._call = None
        self._under_way = True
        logs = list(self._logs)
        looking = self._workers.run(logs[0].path, _look_at_all, logs)
        looking.addCallback(self._tell, logs).addErrback(self._failed).addBoth(self._over)

    def _tell(self, found: Sequence[Found], logs: Sequence[Watched]) -> None:
        for log, facts in zip(logs, found, strict=True):
            if log in self._logs:  # it may have left meanwhile, or through another's news
                log.looked(facts)

    def _failed(self, failure: Failure) -> None:
        if not failure.check(WorkersStopped):
            self.log.failure("logs could not be looked at", failure)

    def _over(self, _: object) -> None:
        self._under_way = False
        self._plan()


def _look_at_all(logs: Sequence[Watched]) -> list[Found]:
    """In a worker."""
    found: list[Found] = []
    for log in logs:
        try:
            found.append(log.look())
        except OSError as problem:
            found.append(problem)
    return found
