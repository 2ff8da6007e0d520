"""Completions on their way to Cuebot: at least once, in order, until it takes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure

from rqd.log import Logger
from rqd.report.backoff import Backoff
from rqd.report.outage import Outage
from rqd.report.pace import Pace
from rqd.report.queue import Completion, Queue


class Outbox:
    """Sends each report as soon as it is posted, and again until Cuebot took it.

    While Cuebot answers, a window of reports is on its way, begun in order of posting, so that
    one that hangs holds up nobody. After a failure they are tried one at a time (see ``Pace``)
    until one is taken; then all flow again, in order. A report that is refused while others are
    taken waits by itself. Nothing is ever dropped: whoever posts keeps the report on disk until
    ``settle`` is called with its key.
    """

    log = Logger()

    def __init__(
        self,
        *,
        reactor: IReactorTime,
        send: Callable[[bytes], Deferred[Any]],
        settle: Callable[[str], object],
        probe_backoff: Backoff,
        refusal_backoff: Backoff,
    ) -> None:
        """``send`` must have a deadline: a try that never ends would keep its place for good."""
        self._reactor = reactor
        self._send = send
        self._settle = settle
        self._refusal_backoff = refusal_backoff
        self._pace = Pace(reactor=reactor, backoff=probe_backoff, go=self._send_waiting)
        self._queue = Queue()
        self._resting: dict[int, IDelayedCall] = {}
        self._outage = Outage("completion reports")
        self._posted = 0
        self._taken = 0
        self._drained: list[Deferred[bool]] = []
        self._sending = False
        self._stopped = False

    @property
    def waiting(self) -> int:
        """How many reports Cuebot has not taken yet, those on their way included."""
        return self._posted - self._taken

    def post(self, key: str, report: bytes) -> None:
        """Send a serialised FrameCompleteReport, this turn unless Cuebot is in trouble.

        ``key`` is handed to ``settle`` once Cuebot took the report, and means nothing here.
        """
        self._posted += 1
        self._queue.push(Completion(self._posted, key, report))
        self._send_waiting()

    def drain(self, timeout: float) -> Deferred[bool]:
        """Fire with True once nothing waits, or with False after ``timeout`` seconds."""
        if not self.waiting:
            return succeed(True)
        drained: Deferred[bool] = Deferred()
        self._drained.append(drained)
        self._hurry()
        return drained.addTimeout(timeout, self._reactor, lambda *_: False)

    def stop(self) -> None:
        """Send nothing more. What is on its way may still be settled."""
        self._stopped = True
        self._pace.stop()
        for timer in self._resting.values():
            timer.cancel()
        self._resting.clear()

    def _send_waiting(self) -> None:
        """Start what may start. A ``send`` that ends at once doesn't lead to recursion."""
        if self._sending:
            return
        self._sending = True
        while self._queue and self._pace.free and not self._stopped:
            self._try(self._queue.pop())
        self._sending = False

    def _try(self, completion: Completion) -> None:
        self._pace.started()
        trial = maybeDeferred(self._send, completion.report)
        trial.addCallbacks(
            self._was_taken, self._failed, callbackArgs=(completion,), errbackArgs=(completion,)
        )
        trial.addErrback(self._unexpected)

    def _was_taken(self, _: object, completion: Completion) -> None:
        self._taken += 1
        if self._pace.in_spell:
            self._outage.answered()
            for refused in self._queue.end_spell():
                self._rest(refused)
        self._pace.answered()
        maybeDeferred(self._settle, completion.key).addErrback(self._unexpected)
        if not self.waiting:
            self._tell_drained()
        self._send_waiting()

    def _failed(self, failure: Failure, completion: Completion) -> None:
        self._queue.failed(completion)
        if self._stopped:
            return
        if not completion.refusals:
            self._outage.failed(failure)
        self._pace.failed()

    def _rest(self, completion: Completion) -> None:
        """Try again later what Cuebot refuses while it takes others."""
        self._resting[completion.sequence] = self._reactor.callLater(
            self._refusal_backoff(completion.refusals), self._rested, completion
        )

    def _rested(self, completion: Completion) -> None:
        del self._resting[completion.sequence]
        self._queue.push(completion)
        self._send_waiting()

    def _hurry(self) -> None:
        for timer in self._resting.values():
            timer.reset(0)
        self._pace.hurry()

    def _tell_drained(self) -> None:
        drained, self._drained = self._drained, []
        for told in drained:
            told.callback(True)

    def _unexpected(self, failure: Failure) -> None:
        self.log.failure("a completion met the unexpected", failure)
