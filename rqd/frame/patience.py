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
    in_time = False

    def arrived(result: T) -> T:
        """Tell next turn: until ``waited`` has run its callbacks, its failure can't be awaited."""
        nonlocal in_time
        if timer.active():
            in_time = True
            timer.reset(0)
        return result

    timer = reactor.callLater(seconds, lambda: outcome.callback(in_time))

    waited.addBoth(arrived)
    return outcome
