"""Waiting for something for a bounded time, without giving it up."""

from __future__ import annotations

from typing import TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

T = TypeVar("T")


def within(waited: Deferred[T], seconds: float, *, reactor: IReactorTime) -> Deferred[bool]:
    """Fire with True when ``waited`` fires in time, with False when it doesn't.

    ``waited`` goes on and keeps its own result: whoever holds it reads that, also a failure.
    """
    outcome: Deferred[bool] = Deferred()
    timer = reactor.callLater(seconds, lambda: outcome.callback(False))

    def arrived(result: T) -> T:
        if timer.active():
            timer.cancel()
            outcome.callback(True)
        return result

    waited.addBoth(arrived)
    return outcome
