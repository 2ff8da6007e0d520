"""Completions on their way to Cuebot: at least once, in order, until it takes them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure

from rqd.log import Logger
from rqd.report.backoff import Backoff
from rqd.report.connection import CuebotError
from rqd.report.outage import Outage
from rqd.report.pace import Pace
from rqd.report.queue import Completion, Queue
from rqd.report.shelf import Fetch, Shelf

#: How many reports are read back at once while Cuebot answers: a trip to a worker is shared.
READ_AHEAD = 64


class Outbox:
    """Sends each report as soon as it is posted, and again until Cuebot took it.

    While Cuebot answers, a window of reports is on its way, begun in order of posting, so that
    one that hangs holds up nobody. After a failure they are tried one at a time (see ``Pace``)
    until one is taken; then all flow again, in order. A report that is refused while others are
    taken waits by itself. Nothing is ever dropped: whoever posts keeps the report on disk until
    ``settle`` is called with its key. So memory is bounded: of thousands that wait, most are on
    disk only (see ``Shelf``), and read back when their turn comes.
    """

    log = Logger()

    def __init__(
        self,
        *,
        reactor: IReactorTime,
        send: Callable[[bytes], Deferred[Any]],
        fetch: Fetch,
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
        self._shelf = Shelf(
            reactor=reactor, fetch=fetch, backoff=refusal_backoff, again=self._read_again
        )
        self._resting: dict[int, IDelayedCall] = {}
        self._outage = Outage("completion reports", waiting=lambda: self.waiting)
        self._posted = 0
        self._taken = 0
        self._drained: list[Deferred[bool]] = []
        self._sending = False
        self._reading = False
        self._stopped = False

    @property
    def waiting(self) -> int:
        """How many reports Cuebot has not taken yet, those on their way included."""
        return self._posted - self._taken

    @property
    def late(self) -> int:
        """How many of them are not just on their way: Cuebot is in trouble, or behind."""
        return self.waiting - (0 if self._pace.in_spell else self._pace.on_their_way)

    def post(self, key: str, report: bytes | None, kept: bool = True) -> None:
        """Send a serialised FrameCompleteReport, this turn unless Cuebot is in trouble.

        ``key`` is handed to ``settle`` once Cuebot took the report, and to ``fetch``. ``kept``
        tells whether the report is on disk; None stands for one that is only there.
        """
        self._posted += 1
        completion = Completion(self._posted, key, report, kept)
        self._shelf.put(completion)
        self._queue.push(completion)
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
        self._shelf.stop()
        for timer in self._resting.values():
            timer.cancel()
        self._resting.clear()

    def _send_waiting(self) -> None:
        """Start what may start. A ``send`` that ends at once doesn't lead to recursion."""
        if self._sending:
            return
        self._sending = True
        while self._queue and self._pace.free and not self._reading and not self._stopped:
            if self._queue.first().report is None:
                self._read_back()
            else:
                self._try(self._queue.pop())
        self._sending = False

    def _read_back(self) -> None:
        """Nothing starts meanwhile: what is in memory may be younger."""
        self._reading = True
        batch: list[Completion] = []
        most = 1 if self._pace.in_spell else READ_AHEAD
        while self._queue and len(batch) < most and self._queue.first().report is None:
            batch.append(self._queue.pop())
        reading = self._shelf.read(batch)
        reading.addCallback(self._were_read).addErrback(self._unexpected)

    def _were_read(self, completions: Sequence[Completion]) -> None:
        self._reading = False
        self._read_again(completions)

    def _read_again(self, completions: Sequence[Completion]) -> None:
        for completion in completions:
            self._queue.push(completion)
        self._send_waiting()

    def _try(self, completion: Completion) -> None:
        self._pace.started()
        trial = maybeDeferred(self._send, self._shelf.take(completion))
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
        self._shelf.put(completion)
        if isinstance(failure.value, CuebotError) and failure.value.code == "UNAVAILABLE":
            self._queue.found_nobody(completion)
        else:
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
        self._shelf.hurry()
        self._pace.hurry()

    def _tell_drained(self) -> None:
        drained, self._drained = self._drained, []
        for told in drained:
            told.callback(True)

    def _unexpected(self, failure: Failure) -> None:
        self.log.failure("a completion met the unexpected", failure)
