"""Reports that wait: the first few MiB in memory, the others where they are anyway, on disk."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure

from rqd.log import Logger
from rqd.report.backoff import Backoff
from rqd.report.queue import Completion

#: Bytes of reports that wait in memory, besides those that are on disk nowhere.
IN_MEMORY = 4 << 20

#: Reads the reports of these keys back, of the first ones at least one: each is the bytes, or what
#: kept it from being read.
Fetch = Callable[[Sequence[str]], Deferred[Sequence[bytes | Exception]]]


class Shelf:
    """Knows what there is room for, and reads back what there was none for."""

    log = Logger()

    def __init__(
        self,
        *,
        reactor: IReactorTime,
        fetch: Fetch,
        backoff: Backoff,
        again: Callable[[Sequence[Completion]], None],
    ) -> None:
        """``again`` gets back what could not be read, when it may be read once more."""
        self._reactor = reactor
        self._fetch = fetch
        self._backoff = backoff
        self._again = again
        self._bytes = 0
        self._later: list[Completion] = []
        self._unread: set[int] = set()
        """The sequence of each that could not be read when it was tried last."""
        self._failures = 0
        self._timer: IDelayedCall | None = None
        self._stopped = False

    def put(self, completion: Completion) -> None:
        """Its report is to wait: in memory if there is room, or if it is nowhere else."""
        size = len(completion.report or b"")
        if completion.kept and self._bytes + size > IN_MEMORY:
            completion.report = None
        else:
            self._bytes += size

    def take(self, completion: Completion) -> bytes:
        """Its report, which is in memory, waits no more."""
        assert completion.report is not None
        self._bytes -= len(completion.report)
        return completion.report

    def read(self, batch: Sequence[Completion]) -> Deferred[list[Completion]]:
        """Read reports back, as many as there is room for.

        Fires with those that may be tried, or read, now. What can't be read is kept for later.
        """
        reading = maybeDeferred(self._fetch, [completion.key for completion in batch])
        return reading.addCallbacks(
            self._was_read, self._nothing_read, callbackArgs=(batch,), errbackArgs=(batch,)
        )

    def hurry(self) -> None:
        """Read again now what could not be read."""
        if self._timer is not None:
            self._timer.reset(0)

    def stop(self) -> None:
        """Read nothing again."""
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _was_read(
        self, reports: Sequence[bytes | Exception], batch: Sequence[Completion]
    ) -> list[Completion]:
        back = []
        for completion, report in zip(batch, reports, strict=False):
            if isinstance(report, bytes):
                completion.report = report
                self._bytes += len(report)
                self._unread.discard(completion.sequence)
                back.append(completion)
            else:
                self._put_off(completion, report)
        if self._failures and not self._unread:
            self._failures = 0
            self.log.info("completions can be read back again")
        return [*back, *batch[len(reports) :]]

    def _nothing_read(self, failure: Failure, batch: Sequence[Completion]) -> list[Completion]:
        for completion in batch:
            self._put_off(completion, failure.value)
        return []

    def _put_off(self, completion: Completion, problem: object) -> None:
        """Said once, however many there are and however often they are tried."""
        if not self._unread:
            self.log.error(
                "a completion can't be read back, trying on key={key} reason={why}",
                key=completion.key,
                why=problem,
            )
        self._unread.add(completion.sequence)
        self._later.append(completion)
        if self._timer is None and not self._stopped:
            self._failures += 1
            self._timer = self._reactor.callLater(self._backoff(self._failures), self._once_more)

    def _once_more(self) -> None:
        self._timer = None
        later, self._later = self._later, []
        self._again(later)
