"""A log that the agent writes: it follows the frame's spool and copies it, stamped.

Two halves that do not wait for each other: ``SpoolWatch`` notices output on the reactor,
``Copier`` copies in a worker of the log's mount, one job at a time. If that mount hangs, one job
hangs; the text waits in the spool, only numbers wait in memory.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure
from zope.interface import implementer

from rqd.log import Logger
from rqd.logging import spool
from rqd.logging.checkpoint import Position
from rqd.logging.copier import Copier, Outcome, Work
from rqd.logging.interfaces import IFrameLog, IWakeups, IWorkers
from rqd.logging.mounts import WorkersStopped
from rqd.logging.troubles import Troubles
from rqd.logging.watching import POLL, OutputSize, SpoolWatch

JOB = 8 << 20
"""Bytes copied by one job at most, so that logs on a mount take turns."""

FAR_BEHIND = 256 << 10
"""Bytes of lag from which the next job doesn't wait for the next look."""

RETRY_FIRST, RETRY_LAST = 1.0, 30.0
"""Seconds after which a failed job is tried again: the first pause, and what it doubles up to."""

SILENCE = 10.0
"""Seconds after which a job that hasn't answered is worth a word."""


class Means(NamedTuple):
    """What all logs share."""

    reactor: IReactorTime
    workers: IWorkers
    wakeups: IWakeups
    wall_clock: Callable[[], float]
    spools_hang: Callable[[], bool]
    """Whether the disk of the spools does not answer: they are not touched on the reactor then."""
    troubles: Troubles


@implementer(IFrameLog)
class SpoolLog:
    """See ``IFrameLog``."""

    log = Logger()

    def __init__(
        self,
        path: str,
        spool_path: str,
        copier: Copier,
        position: Position,
        size: OutputSize,
        means: Means,
    ) -> None:
        self.path = path
        self._spool_path = spool_path
        self._copier = copier
        self._position = position
        self._size = size
        self._reactor = means.reactor
        self._workers = means.workers
        self._spools_hang = means.spools_hang
        self._troubles = means.troubles
        self._watch = SpoolWatch(
            spool_path,
            size,
            reactor=means.reactor,
            wakeups=means.wakeups,
            wall_clock=means.wall_clock,
            hangs=means.spools_hang,
            changed=self._changed,
            restarted=self._spool_restarted,
        )
        self._job_since: float | None = None
        self._opening: Deferred[None] | None = None
        self._started = False
        self._restart = self._open = self._left = False
        self._footer: bytes | None = None
        self._closed: Deferred[None] | None = None
        self._retry: IDelayedCall | None = None
        self._pause = RETRY_FIRST

    @property
    def size(self) -> int:
        """Bytes of output so far."""
        return self._size.value

    @property
    def last_output(self) -> float:
        """Epoch seconds of the last output."""
        return self._watch.last_output

    def open(self) -> Deferred[None]:
        """Make the log: the first job. Fails with ``LogUnavailable``.

        A log that was started meanwhile, as the frame was, goes on trying.
        """
        opening = self._opening = Deferred()
        self._give(Work(self._position.offset, (), keep_open=False))
        return opening

    def start(self) -> None:
        """Begin to follow the output."""
        self._started = True
        self._watch.start()

    def tail(self, lines: int) -> Deferred[bytes]:
        """The last lines, from the spool: needs nothing of the log's file system."""
        return self._workers.run_for("state", spool.last_lines, self._spool_path, lines)

    def close(self, footer: bytes) -> Deferred[None]:
        """Copy the rest, add the footer."""
        self._watch.stop()
        closed = self._closed = Deferred()
        self._finish(footer)
        return closed

    def _finish(self, footer: bytes) -> None:
        """See how much there is in the end, as soon as that can be seen."""
        if self._spools_hang():
            self._reactor.callLater(POLL, self._finish, footer)
            return
        self._watch.look()
        self._footer = footer
        self._stop_retry()
        self._go_on()

    def leave(self) -> None:
        """Stop; the log stays as it is, for the next agent."""
        self._watch.stop()
        self._stop_retry()
        self._left = True
        self._go_on()

    def _changed(self) -> None:
        """The watch has looked."""
        self._say_if_silent()
        self._go_on()

    def _spool_restarted(self) -> None:
        if self._job_since is None:
            self._position = self._position.restarted()
        else:
            self._restart = True

    def _go_on(self) -> None:
        """Give a worker the next job, if there is one and none is under way."""
        if self._job_since is not None or self._retry is not None:
            return
        work = self._next_work()
        if work is not None:
            self._give(work)

    def _give(self, work: Work) -> None:
        self._job_since = self._reactor.seconds()
        job = self._workers.run(self.path, self._copier.work, self._position, work)
        job.addCallbacks(self._worked, self._broke)

    def _next_work(self) -> Work | None:
        begin, end = self._position.offset, self._watch.seen
        if self._left:
            return Work(begin, (), keep_open=False) if self._open else None
        limit = min(end, begin + JOB)
        last = limit == end
        footer = self._footer if last else None
        if limit <= begin and footer is None and (self._watch.streak or not self._open):
            return None
        marks = self._watch.marks.after(begin, limit)
        keep = not last or self._watch.streak > 1  # a first line opens and closes in one job
        return Work(limit, marks, keep_open=keep, footer=footer)

    def _worked(self, outcome: Outcome) -> None:
        self._job_since = None
        self._position, self._open = outcome.position, outcome.is_open
        if self._restart:
            self._restart = False
            self._position = self._position.restarted()
        else:
            self._watch.marks.forget(outcome.safe)
        opening, self._opening = self._opening, None
        if outcome.error is not None:
            if opening is None or self._started:
                self._failed(str(outcome.error))
            if opening is not None:
                opening.errback(outcome.error)
        elif opening is not None:
            opening.callback(None)
            self._go_on()
        elif outcome.complete:
            self._complete()
        else:
            self._recovered()
            if self._footer is not None or not self._watch.streak or self._is_far_behind():
                self._go_on()

    def _is_far_behind(self) -> bool:
        """A frame that writes fast has written more meanwhile: don't wait for the next look."""
        if self._watch.seen - self._position.offset <= FAR_BEHIND:
            self._watch.look()
        return self._watch.seen - self._position.offset > FAR_BEHIND

    def _complete(self) -> None:
        self._recovered()
        closed, self._closed, self._footer = self._closed, None, None
        if closed is not None:
            closed.callback(None)

    def _broke(self, failure: Failure) -> None:
        """The job itself broke, which is a fault of ours, or the workers have been stopped."""
        self._job_since = None
        opening, self._opening = self._opening, None
        if opening is not None:
            opening.errback(failure)
            return
        if failure.check(WorkersStopped):
            self._left, self._open = True, False
            return
        self.log.failure("log copying broke log={path}", failure, path=self.path)
        self._failed(failure.getErrorMessage())

    def _failed(self, error: str) -> None:
        """Try again later; say so once."""
        self._troubles.begin(self.path, error)
        if not self._left:
            self._retry = self._reactor.callLater(self._pause, self._try_again)
            self._pause = min(self._pause * 2, RETRY_LAST)

    def _try_again(self) -> None:
        self._retry = None
        self._go_on()

    def _stop_retry(self) -> None:
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None

    def _recovered(self) -> None:
        self._pause = RETRY_FIRST
        self._troubles.end(self.path)

    def _say_if_silent(self) -> None:
        if self._job_since is not None and self._reactor.seconds() - self._job_since > SILENCE:
            self.late()

    def late(self) -> None:
        """The disk of the spools may be to blame, and is spoken of by others."""
        if not self._spools_hang():
            self._troubles.begin(self.path, "the file system does not answer")
