"""Whether the engine answers: all that it is asked is asked through here."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure

from rqd.containers.interface import EngineAway, EngineRefused, IEngine
from rqd.log import Logger
from rqd.logging.interfaces import IWorkers
from rqd.logging.mounts import WorkersStopped

T = TypeVar("T")

#: What the threads that ask the engine are for; each purpose has two at most. Starts may hang in
#: dead mounts and pulls take long: neither holds up what is asked of containers that are there.
STARTS, PULLS, QUESTIONS = "engine starts", "engine pulls", "engine"


class EngineWatch:
    """Used on the reactor. ``away`` says why the engine can't be asked; empty while it can.

    ``changed`` is called when that changes, ``back`` each time that it answers again.
    """

    log = Logger()

    def __init__(
        self,
        engine: IEngine,
        retry_interval: float,
        *,
        reactor: IReactorTime,
        workers: IWorkers,
        changed: Callable[[], object],
        back: Callable[[], object],
    ) -> None:
        self.away = "the container engine has not answered yet"
        self._engine = engine
        self._retry_interval = retry_interval
        self._reactor = reactor
        self._workers = workers
        self._changed = changed
        self._back = back
        self._looking = self._said = self._stopped = False
        self._timer: IDelayedCall | None = None

    @property
    def answers(self) -> bool:
        """Whether there is sense in asking it, as far as is known."""
        return not self.away and not self._stopped

    def ask(self, purpose: str, function: Callable[..., T], *args: object) -> Deferred[T]:
        """Ask the engine; fails with EngineAway or EngineRefused. Trouble makes it be watched."""
        return self._workers.run_for(purpose, function, *args).addErrback(self._noticed)

    def _noticed(self, failure: Failure) -> Failure:
        if failure.check(EngineAway) and not self.away:
            self.look()
        return failure

    def look(self) -> None:
        """Ask it how it is, again and again until it answers."""
        self._timer = None
        if not self._looking and not self._stopped:
            self._looking = True
            asking = self._workers.run_for(QUESTIONS, self._engine.version)
            asking.addCallbacks(self._answered, self._is_away).addErrback(_stops)

    def stop(self) -> None:
        """Look no more."""
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _answered(self, version: str) -> None:
        self._looking = False
        if self.away:
            self.log.info("container engine answers version={version}", version=version)
            self.away, self._said = "", False
            self._changed()
            self._back()

    def _is_away(self, failure: Failure) -> None:
        failure.trap(EngineAway, EngineRefused)
        self._looking = False
        self.away = f"the container engine does not answer: {failure.value}"
        if not self._said:
            self._said = True
            self.log.error("{reason}; frames are refused until it does", reason=self.away)
            self._changed()
        if not self._stopped:
            self._timer = self._reactor.callLater(self._retry_interval, self.look)


def _stops(failure: Failure) -> None:
    failure.trap(WorkersStopped)
