"""A Cuebot's end of the calls, moved by hand."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from rqd.report.connection import CuebotError


def unavailable(endpoint: str = "cuebot:8443") -> CuebotError:
    return CuebotError("UNAVAILABLE", "connection refused", endpoint)


class Calls:
    """Stands for a function that sends; each call waits for the test to answer it."""

    def __init__(self) -> None:
        self.sent: list[Any] = []
        """Everything that was ever sent."""
        self.open: list[tuple[Any, Deferred[Any]]] = []
        """What was sent and not answered yet, in order."""

    def __call__(self, sent: Any) -> Deferred[Any]:
        answer: Deferred[Any] = Deferred(self._forget)
        self.sent.append(sent)
        self.open.append((sent, answer))
        return answer

    def take(self, index: int = 0) -> Any:
        """Answer OK to one of the open calls; return what it had sent."""
        sent, answer = self.open.pop(index)
        answer.callback(b"")
        return sent

    def refuse(self, index: int = 0, error: Exception | None = None) -> Any:
        """Fail one of the open calls; return what it had sent."""
        sent, answer = self.open.pop(index)
        answer.errback(error or unavailable())
        return sent

    def _forget(self, cancelled: Deferred[Any]) -> None:
        self.open = [(sent, answer) for sent, answer in self.open if answer is not cancelled]
