"""A few threads per mount for blocking disk work.

A thread that is stuck in a dead mount cannot be ended, so each mount has its own: the dead take
theirs with them, logs elsewhere and the state folder go on. The threads are daemons that nobody
joins, so that a stuck one does not hold up the agent's exit (Twisted's own pool joins its).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread
from time import thread_time
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IDelayedCall, IReactorFromThreads, IReactorTime
from twisted.python.failure import Failure
from zope.interface import implementer

from rqd.logging.interfaces import IWorkers
from rqd.logging.mounttable import MountTable

T = TypeVar("T")

PER_MOUNT = 2
"""Threads a mount gets: one slow file must not hold up its neighbours; more buys little."""

PATIENCE = 0.005
"""Seconds for which jobs wait for the first thread before another helps."""

LONG = 0.001
"""Seconds of CPU from which on a job is long: many a log, or much of one."""


class IWorkersReactor(IReactorTime, IReactorFromThreads):
    """What the workers need of a reactor."""


class WorkersStopped(Exception):
    """Work was offered to workers that have been stopped."""


class _Crew:
    """The threads of one mount, and the jobs that they share.

    The first thread takes them, one after the other: jobs take fractions of a millisecond, and
    threads that are woken for each only wait for each other. The next one helps with what still
    waits after a moment.
    """

    def __init__(
        self,
        name: str,
        reactor: IReactorTime,
        deliver: Callable[[_Crew, Deferred[Any] | None, Any], None],
        roam: Callable[[bool], object],
    ) -> None:
        self._name = name
        self._reactor = reactor
        self._deliver = deliver
        self._roam = roam
        self._jobs: deque[tuple[Deferred[Any], Callable[..., Any], Any]] = deque()
        #: Each thread's own: True to take a job, if one is left, False to end.
        self._calls: list[SimpleQueue[bool]] = []
        self._help: IDelayedCall | None = None
        self.unfinished = 0
        self.threads = 0

    def put(self, waiting: Deferred[Any], function: Callable[..., Any], args: Any) -> None:
        """Queue a job; on the reactor."""
        self.unfinished += 1
        self._jobs.append((waiting, function, args))
        self._call(0)
        if self.unfinished > 1 and self._help is None:
            self._help = self._reactor.callLater(PATIENCE, self._call_help)

    def stop(self) -> None:
        """Let the threads end after what is queued."""
        if self._help is not None:
            self._help.cancel()
            self._call_help()
        for calls in self._calls:
            calls.put(False)

    def _call_help(self) -> None:
        self._help = None
        for _ in range(len(self._jobs)):
            for number in range(1, PER_MOUNT):
                self._call(number)

    def _call(self, number: int) -> None:
        if number == len(self._calls):
            self._calls.append(SimpleQueue())
            self.threads += 1
            work, name = self._work, f"disk {self._name}"
            Thread(target=work, args=(self._calls[number],), name=name, daemon=True).start()
        self._calls[number].put(True)

    def _work(self, calls: SimpleQueue[bool]) -> None:
        roams = False
        while calls.get():
            try:
                waiting, function, args = self._jobs.popleft()
            except IndexError:  # another was quicker
                continue
            began = thread_time()
            try:
                result = function(*args)
            except BaseException:  # the edge of a thread: whatever it is, the caller gets it
                result = Failure()
            self._deliver(self, waiting, result)
            del waiting, function, args, result  # hold nothing while idle
            if roams != (thread_time() - began > LONG):
                roams = not roams
                self._roam(roams)
        self._deliver(self, None, None)


@implementer(IWorkers)
class MountWorkers:
    """Runs blocking functions, each in a thread of the mount that its path is on."""

    def __init__(
        self,
        *,
        reactor: IWorkersReactor,
        table: MountTable,
        roam: Callable[[bool], object] = lambda roams: None,
    ) -> None:
        """``roam`` is called in a thread whose jobs have become long, or short again."""
        self._reactor = reactor
        self._roam = roam
        self._table = table
        self._crews: dict[str, _Crew] = {}
        self._results: deque[tuple[_Crew, Deferred[Any] | None, Any]] = deque()
        self._scheduled = False
        self._refusing = False
        self._stopping: Deferred[None] | None = None

    def run(self, path: str, function: Callable[..., T], *args: object) -> Deferred[T]:
        """Run ``function(*args)`` in a thread of the mount that holds ``path`` (absolute)."""
        return self._put(self._table.mount_of(path).point, function, args)

    def run_for(self, purpose: str, function: Callable[..., T], *args: object) -> Deferred[T]:
        """Run ``function(*args)`` in a thread that serves nothing but ``purpose``."""
        return self._put(purpose, function, args)

    @property
    def thread_count(self) -> int:
        """How many threads there are: at most ``PER_MOUNT`` for each mount and purpose."""
        return sum(crew.threads for crew in self._crews.values())

    def stop(self, patience: float) -> Deferred[None]:
        """Take no more work; fires when all that is queued is done, or after ``patience`` seconds.

        Threads that are stuck are left behind: they are daemons and hold nothing up.
        """
        self._refusing = True
        stopping = self._stopping = Deferred()
        impatience = self._reactor.callLater(patience, self._stopped)
        for crew in self._crews.values():
            crew.stop()
        self._check_stopped()

        def settled(result: None) -> None:
            if impatience.active():
                impatience.cancel()
            self._table.close()

        return stopping.addCallback(settled)

    def _put(self, name: str, function: Callable[..., Any], args: Any) -> Deferred[Any]:
        if self._refusing:
            return fail(WorkersStopped("the agent is stopping"))
        crew = self._crews.get(name)
        if crew is None:
            crew = self._crews[name] = _Crew(name, self._reactor, self._deliver, self._roam)
        waiting: Deferred[Any] = Deferred()
        crew.put(waiting, function, args)
        return waiting

    def _deliver(self, crew: _Crew, waiting: Deferred[Any] | None, result: Any) -> None:
        """In a worker: hand over a result, or the end of a thread, waking the reactor once.

        The flag is cleared before the results are taken, so none is left behind.
        """
        self._results.append((crew, waiting, result))
        if not self._scheduled:
            self._scheduled = True
            self._reactor.callFromThread(self._take_results)

    def _take_results(self) -> None:
        self._scheduled = False
        while self._results:
            crew, waiting, result = self._results.popleft()
            if waiting is None:
                crew.threads -= 1
                self._check_stopped()
            else:
                crew.unfinished -= 1
                waiting.callback(result)

    def _check_stopped(self) -> None:
        if not self.thread_count:
            self._stopped()

    def _stopped(self) -> None:
        stopping, self._stopping = self._stopping, None
        if stopping is not None:
            stopping.callback(None)
