"""The render hosts that a job may use, and how many of their cores are free."""

from __future__ import annotations

from collections.abc import Container
from typing import Any, Protocol

from twisted.internet.defer import Deferred


class Agent(Protocol):
    """An agent to call; each call's Deferred fails with ``client.CallFailed``."""

    address: str

    def report(self, patience: float) -> Deferred[Any]:
        """Its HostReport, once it serves; waits up to ``patience`` seconds for that."""

    def launch(self, run_frame: Any) -> Deferred[Any]: ...

    def kill(self, frame_id: str, reason: str) -> Deferred[Any]: ...

    def close(self) -> None: ...


class Host:
    """One host: the newest facts it reported, less what we booked on it since.

    All amounts in points. ``paused`` while it refuses launches.
    """

    def __init__(self, agent: Agent, report: Any, ours: Container[str]) -> None:
        self.agent = agent
        self.name: str = report.host.name
        self.paused = False
        self._booked = 0
        self.refresh(report, ours)

    @property
    def idle(self) -> int:
        return self._capacity - self._booked

    def takes(self, cores: int) -> bool:
        return not self.paused and self.idle >= cores

    def refresh(self, report: Any, ours: Container[str]) -> None:
        """New facts. The cores of frames with a resource id not in ``ours`` aren't for us."""
        cores = report.core_info
        foreign = sum(frame.num_cores for frame in report.frames if frame.resource_id not in ours)
        self._capacity: int = cores.total_cores - cores.locked_cores - foreign

    def book(self, cores: int) -> None:
        self._booked += cores

    def release(self, cores: int) -> None:
        self._booked -= cores
