"""The state folder's disk, which may fill up, fail, hang, and come back.

All that frames have there is done through this, in the workers of the state folder. It knows two
kinds of trouble, and says each once when it begins and once when it is over:

- *a write fails* (full, read-only, an error). Launches are tried still, and refused where they
  fail; what the records of running frames lack waits in memory (``unkept``). One timer for all
  tries, in growing pauses, to write that and then something larger: that alone ends the trouble,
  because on a full disk small things go well now and then.
- *nothing is answered.* Launches are refused without a try, as each that waits holds one of the few
  threads that calls come in by; ends are reported without waiting for it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from rqd.background import background
from rqd.frame.patience import within
from rqd.frame.records import STATE
from rqd.frame.unkept import Unkept
from rqd.log import Logger
from rqd.logging.interfaces import IWorkers
from rqd.logging.mounts import WorkersStopped
from rqd.refusals import Unavailable

T = TypeVar("T")

#: Seconds without an answer after which launches are refused at once: a disk that is only busy
#: answers something by then.
SILENCE = 2.0
#: Seconds after which the reactor takes no look at spools: most that it would ask for is in memory,
#: but what isn't has to be read.
HESITATION = 0.5
#: How long a launch waits to be on disk, seconds: its caller is to get this answer, not that of the
#: bridge's deadline (10 s), after which nobody knows whether it was taken.
LAUNCH_PATIENCE = 5.0
#: So many launches may wait that long. Those that come meanwhile wait less, seconds: there are four
#: threads for calls, and a disk that begins to hang under a volley of launches must not have all.
CROWD, CROWD_PATIENCE = 2, 0.5
#: Pauses between looks whether the trouble is over, seconds: the first, and what it doubles up to.
RETRY_FIRST, RETRY_LAST = 1.0, 30.0
#: Seconds after which trouble is another trouble, whose pauses begin anew. A disk that is full
#: every other moment is said to be so every half minute.
CALM = 60.0
#: Bytes that a disk has to take before it is trusted again: more than nearly every record has.
PROBE = 64 << 10


class StateDisk:
    """Runs functions on the state folder; on the reactor."""

    log = Logger()

    def __init__(self, folders: Sequence[str], *, reactor: IReactorTime, workers: IWorkers) -> None:
        """``folders`` must all take something before the disk is trusted again."""
        self.unkept = Unkept()
        self._folders = folders
        self._reactor = reactor
        self._workers = workers
        self._under_way = 0
        self._answered = 0.0
        self._silent = self._silence_said = False
        self._silent_until = float("-inf")
        self._waiting = 0
        self._since: float | None = None
        self._calm_since = float("-inf")
        self._pause = RETRY_FIRST
        self._refused = self._late = 0
        self._back: list[Deferred[None]] = []

    # -- doing things --------------------------------------------------------------------------

    def run(self, function: Callable[..., T], *args: object) -> Deferred[T]:
        """Run ``function(*args)`` in a worker."""
        if not self._under_way:
            self._answered = self._reactor.seconds()
        self._under_way += 1
        return self._workers.run_for(STATE, function, *args).addBoth(self._answer)

    def write(self, function: Callable[..., T], *args: object) -> Deferred[T]:
        """The same for what adds something: an OSError means that the disk is in trouble."""
        return self.run(function, *args).addErrback(self._failed)

    def soon(self, work: Deferred[T], seconds: float) -> Deferred[T]:
        """``within``, but the time for which the disk has said nothing counts."""
        patience = max(0.0, seconds - self.silent_for)
        return within(work, patience, reactor=self._reactor)

    # -- launches ------------------------------------------------------------------------------

    @property
    def in_trouble(self) -> bool:
        """Whether a write failed, and nothing has shown since that the next would not."""
        return self._since is not None

    @property
    def silent_for(self) -> float:
        """Seconds since it last answered, with something under way; 0 for nothing to answer."""
        return self._reactor.seconds() - self._answered if self._under_way else 0.0

    @property
    def hesitates(self) -> bool:
        """Whether it has not answered for a moment: the reactor had better not touch it itself."""
        return self.silent_for > HESITATION

    def admit(self) -> None:
        """A launch wants in; raises Unavailable where it would only wait."""
        silent = self.silent_for
        if silent > SILENCE:
            self.say_silent()
            self._refused += 1
            raise Unavailable(f"the state folder has not answered for {silent:.0f} s")

    def launched(self, recording: Deferred[T]) -> Deferred[T]:
        """Wait for a launch to be on disk; fails with TooLate, and then it may still get there."""
        patience = LAUNCH_PATIENCE if self._waiting < CROWD else CROWD_PATIENCE
        self._waiting += 1
        return within(recording, patience, reactor=self._reactor).addBoth(self._waits_no_more)

    def _waits_no_more(self, result: T) -> T:
        self._waiting -= 1
        return result

    def refused(self) -> bool:
        """A launch was refused; whether that is this disk's doing, and said by it."""
        self._refused += 1
        return self.in_trouble or self._silent

    # -- writes that fail ----------------------------------------------------------------------

    def back(self, problem: OSError) -> Deferred[None]:
        """It failed to read: fire once it is known to work."""
        waiting: Deferred[None] = Deferred()
        self._back.append(waiting)
        self._begin(problem)
        return waiting

    def _failed(self, failure: Failure) -> Failure:
        if isinstance(failure.value, OSError):
            self._begin(failure.value)
        return failure

    def _begin(self, problem: OSError) -> None:
        if self._since is not None:
            return
        self._since = self._reactor.seconds()
        if self._since - self._calm_since > CALM:
            self._pause = RETRY_FIRST
        self.log.error(
            "the state folder fails: launches are refused, ends of frames are kept in memory until"
            " it is back reason={why}",
            why=problem,
        )
        self._try_later()

    def _try_later(self) -> None:
        self._reactor.callLater(self._pause, self._try)
        self._pause = min(self._pause * 2, RETRY_LAST)

    def _try(self) -> None:
        background(self._recover(), self.log, "looking whether the state folder is back")

    async def _recover(self) -> None:
        try:
            self._late += await self.unkept.write(self.run)
            await self.run(_probe, self._folders)
        except WorkersStopped:
            return
        except OSError:
            self._try_later()
            return
        if self.unkept:
            self._try_later()
        else:
            self._over()

    def _over(self) -> None:
        assert self._since is not None
        self._calm_since = self._reactor.seconds()
        self.log.info(
            "the state folder is back after={seconds:.0f} s refused={refused} written_late={late}",
            seconds=self._calm_since - self._since,
            refused=self._refused,
            late=self._late,
        )
        self._since, self._refused, self._late = None, 0, 0
        back, self._back = self._back, []
        for waiting in back:
            waiting.callback(None)

    # -- no answer -----------------------------------------------------------------------------

    def say_silent(self) -> None:
        """Somebody does not wait for it any longer. A disk that is slow is said to be so once."""
        if self._silent:
            return
        self._silent = True
        self._silence_said = self._reactor.seconds() - self._silent_until > CALM
        if self._silence_said:
            self.log.error(
                "the state folder does not answer: launches are refused, ends of frames are"
                " reported and will be written when it does silent_for={seconds:.1f} s",
                seconds=self.silent_for,
            )

    def _answer(self, result: T) -> T:
        self._under_way -= 1
        if self._silent:
            self._answers_again()
        self._answered = self._reactor.seconds()
        return result

    def _answers_again(self) -> None:
        self._silent = False
        self._silent_until = self._reactor.seconds()
        if self._silence_said:
            self.log.info(
                "the state folder answers again after={seconds:.0f} s refused={refused}",
                seconds=self._silent_until - self._answered,
                refused=self._refused,
            )
        if not self.in_trouble:
            self._refused = 0


def _probe(folders: Sequence[str]) -> None:
    """In a worker: raises OSError unless each takes a file, which has no name and goes at once."""
    import tempfile  # where there never is trouble it is never needed

    for folder in folders:
        with tempfile.TemporaryFile(dir=folder, prefix="openrqd-probe-", buffering=0) as file:
            rest = memoryview(bytes(PROBE))
            while rest:
                rest = rest[file.write(rest) :]
