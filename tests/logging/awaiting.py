"""Coroutines as test methods: the floor's trial would let them pass without running them."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any

from twisted.internet.defer import Deferred


def awaited(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., Deferred[None]]:
    """Make the test method ``test`` return a Deferred, which every trial waits for."""

    @wraps(test)
    def run(self: object) -> Deferred[None]:
        return Deferred.fromCoroutine(test(self))

    return run
