"""An agent in memory, for tests of what a scheduler says to one."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from dummy_cuebot.client import CallFailed


class FakeAgent:
    """Implements ``hosts.Agent``. Every call waits in its list until the test answers it."""

    def __init__(self, address: str = "host1:8444") -> None:
        self.address = address
        self.launches: list[tuple[Any, Deferred[Any]]] = []
        self.kills: list[tuple[str, str, Deferred[Any]]] = []
        self.reports: list[Deferred[Any]] = []
        self.closed = False

    def report(self, patience: float) -> Deferred[Any]:
        self.reports.append(Deferred())
        return self.reports[-1]

    def launch(self, run_frame: Any) -> Deferred[Any]:
        self.launches.append((run_frame, Deferred()))
        return self.launches[-1][1]

    def kill(self, frame_id: str, reason: str) -> Deferred[Any]:
        self.kills.append((frame_id, reason, Deferred()))
        return self.kills[-1][2]

    def close(self) -> None:
        self.closed = True

    # For the test

    @property
    def names(self) -> list[str]:
        """The names of all frames it was given, in order."""
        return [run_frame.frame_name for run_frame, _ in self.launches]

    def accept(self, index: int = -1) -> str:
        """Takes a launch; the resource id of it."""
        run_frame, answer = self.launches[index]
        answer.callback(None)
        return str(run_frame.resource_id)

    def refuse(self, code: Any, index: int = -1) -> None:
        self.launches[index][1].errback(CallFailed("refused", code))
