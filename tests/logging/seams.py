"""Stand-ins at the seams of the logging room: workers and wake-ups under the test's control."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, execute
from zope.interface import implementer

from rqd.logging.interfaces import IWakeups, IWorkers


@implementer(IWorkers)
class InlineWorkers:
    """Runs jobs in turn: at once, or when released if the mount hangs (``held``)."""

    def __init__(self) -> None:
        self.held = False
        self.waiting: list[tuple[Deferred[Any], Callable[..., Any], tuple[Any, ...]]] = []
        self.done = 0

    def run(self, path: str, function: Callable[..., Any], *args: Any) -> Deferred[Any]:
        """Run it, or keep it if the mount hangs."""
        if not self.held:
            return self._execute(function, *args)
        waiting: Deferred[Any] = Deferred()
        self.waiting.append((waiting, function, args))
        return waiting

    def run_for(self, purpose: str, function: Callable[..., Any], *args: Any) -> Deferred[Any]:
        """Run it: local disk doesn't hang."""
        return execute(function, *args)

    def release(self) -> None:
        """The mount answers again."""
        self.held = False
        waiting, self.waiting = self.waiting, []
        for deferred, function, args in waiting:
            self._execute(function, *args).chainDeferred(deferred)

    def _execute(self, function: Callable[..., Any], *args: Any) -> Deferred[Any]:
        self.done += 1
        return execute(function, *args)


@implementer(IWakeups)
class StandInWakeups:
    """Watches that fire when the test says so."""

    def __init__(self) -> None:
        self.possible = True
        self.armed: dict[int, tuple[str, Callable[[], None]]] = {}
        self._last = 0

    def arm(self, path: str, callback: Callable[[], None]) -> int | None:
        """As in ``IWakeups``."""
        if not self.possible:
            return None
        self._last += 1
        self.armed[self._last] = (path, callback)
        return self._last

    def disarm(self, token: int) -> None:
        """As in ``IWakeups``."""
        self.armed.pop(token, None)

    def fire(self) -> None:
        """All watched files were written to."""
        armed, self.armed = self.armed, {}
        for _, callback in armed.values():
            callback()
