"""Waiting for something for a bounded time, without giving it up."""

from __future__ import annotations

from typing import TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

T = TypeVar("T")


class TooLate(Exception):
    """What was waited for did not come in time; it may still come."""


def within(waited: Deferred[T], seconds: float, *, reactor: IReactorTime) -> Deferred[T]:
    """Hand on what ``waited`` gives, a failure too; fail with TooLate if that takes too long.

    Then ``waited`` goes on and keeps its result: whoever holds it has to meet it there.
    """
    outcome: Deferred[T] = Deferred()
    timer = reactor.callLater(seconds, lambda: outcome.errback(TooLate()))

    def arrived(result: T | Failure) -> T | Failure | None:
        if not timer.active():
            return result
        timer.cancel()
        outcome.callback(result)  # a Failure takes the way of errors
        return None

    waited.addBoth(arrived)
    return outcome


def after(work: Deferred[T]) -> Deferred[None]:
    """Fire once ``work`` has ended, however it did; whoever holds that gets its result."""
    over: Deferred[None] = Deferred()

    def ended(result: T) -> T:
        over.callback(None)
        return result

    work.addBoth(ended)
    return over
