"""What the bridge stands between, in memory: a gRPC call, and a reactor that is turned by hand."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from queue import SimpleQueue
from typing import Any, NoReturn

import grpc
from twisted.internet.interfaces import IReactorFromThreads
from zope.interface import implementer

#: Far more than any machine needs: only a broken bridge waits so long, and that fails the test.
PATIENCE = 30.0


class Aborted(Exception):
    """What gRPC's ``abort`` raises, with what it was told."""

    def __init__(self, code: grpc.StatusCode, details: str) -> None:
        super().__init__(code, details)
        self.code = code
        self.details = details


class FakeContext:
    """One call, as gRPC shows it to a servicer."""

    def __init__(self, remaining: float | None = PATIENCE) -> None:
        self.remaining = remaining
        self.active = True
        self.callbacks: list[Callable[[], None]] | None = []

    def is_active(self) -> bool:
        return self.active

    def time_remaining(self) -> float | None:
        return self.remaining

    def add_callback(self, callback: Callable[[], None]) -> bool:
        if self.callbacks is None:
            return False
        self.callbacks.append(callback)
        return True

    def abort(self, code: grpc.StatusCode, details: str) -> NoReturn:
        raise Aborted(code, details)

    def terminate(self) -> None:
        """The call ends: its caller cancelled it, or its deadline has passed."""
        self.active = False
        callbacks, self.callbacks = self.callbacks or [], None
        for callback in callbacks:
            callback()


@implementer(IReactorFromThreads)
class ManualReactor:
    """Runs what threads gave it when the test says so."""

    def __init__(self) -> None:
        self._calls: SimpleQueue[tuple[Callable[..., Any], tuple[Any, ...]]] = SimpleQueue()

    def callFromThread(self, callable: Callable[..., Any], *args: Any) -> None:  # noqa: A002
        self._calls.put((callable, args))

    def take(self) -> Callable[[], object]:
        """One call to run later, waiting for a thread to hand it in."""
        function, args = self._calls.get(timeout=PATIENCE)
        return partial(function, *args)

    def turn(self) -> None:
        """Run one call."""
        self.take()()

    def is_idle(self) -> bool:
        return self._calls.empty()


@implementer(IReactorFromThreads)
class EagerReactor:
    """Runs at once, and in the thread that asks: a reactor without any delay."""

    def callFromThread(self, callable: Callable[..., Any], *args: Any) -> None:  # noqa: A002
        callable(*args)
