"""Size and free space of ``temp_path``, which OpenCue calls mcp.

The folder can be on any file system, a hung NFS mount included. So it is touched in a
worker thread alone, and the reactor sees the last value that came back.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import NamedTuple, Protocol, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from rqd.log import Logger

T = TypeVar("T")


class RunsInWorker(Protocol):
    """Calls ``function`` in some thread and fires on the reactor's, as ``deferToThread`` does."""

    def __call__(self, function: Callable[[], T]) -> Deferred[T]: ...


class Space(NamedTuple):
    """KiB. ``free`` is what an ordinary user can still write."""

    total: int
    free: int


UNKNOWN_SPACE = Space(0, 0)
"""Cuebot takes a host with this to repair: right for storage that fails, or never answered."""


class TempStorage:
    """The last known space of a folder; created, also anew, where it is missing.

    While a measurement hangs the last value stands and no second one is begun: a dead mount
    costs one worker. A measurement that fails makes the space unknown.
    """

    log = Logger()

    def __init__(self, path: str, *, in_worker: RunsInWorker) -> None:
        self._path = path
        self._in_worker = in_worker
        self._measuring: Deferred[None] | None = None
        self.space = UNKNOWN_SPACE

    def start(self) -> Deferred[None]:
        """Measure for the first time; fires, never fails, when the space is known or failed.

        Not before the storage answers: whoever waits for it sets the limit.
        """
        return self._measure()

    def refresh(self) -> None:
        """Begin to measure, unless the last measurement still hangs."""
        if self._measuring is None:
            self._measure()

    def _measure(self) -> Deferred[None]:
        self._measuring = done = Deferred[None]()
        self._in_worker(partial(measure, self._path)).addCallbacks(self._measured, self._unmeasured)
        return done

    def _unmeasured(self, failure: Failure) -> None:
        self.log.error(
            "temp storage cannot be measured path={path} error={error}",
            path=self._path,
            error=failure.getErrorMessage(),
        )
        self._measured(UNKNOWN_SPACE)

    def _measured(self, space: Space) -> None:
        self.space = space
        done, self._measuring = self._measuring, None
        if done is not None:
            done.callback(None)


def measure(path: str) -> Space:
    """Create the folder if need be, follow links, ask the file system. Blocks; any thread."""
    os.makedirs(path, exist_ok=True)
    found = os.statvfs(path)
    return Space(
        total=found.f_blocks * found.f_frsize // 1024,
        free=found.f_bavail * found.f_frsize // 1024,
    )
