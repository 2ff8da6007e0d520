"""Work that nobody waits for, and whose failure is still heard."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from twisted.internet.defer import Deferred

from rqd.log import Logger


def background(work: Coroutine[Deferred[Any], Any, Any], log: Logger, what: str) -> None:
    """Run a coroutine to its end; an exception is logged with ``what``, its context."""
    Deferred.fromCoroutine(work).addErrback(
        lambda failure: log.failure("unexpected failure in {what}", failure, what=what)
    )
