"""Activity as a file tells it: its content is ``active`` or ``idle``.

For kiosks, for sites with an idea of their own of who uses a host, and for tests. The file may be
written in place or replaced, and be on any file system. So it is looked at again and again, in a
worker: inotify sees neither what other hosts write to NFS nor a file that takes another's place.
"""

from __future__ import annotations

import os
from functools import partial

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure
from zope.interface import implementer

from rqd.log import Logger
from rqd.system.nimby import Activity, IActivityDetector, IActivityListener, Undetectable
from rqd.system.tempstorage import RunsInWorker

#: Seconds between two looks.
POLL = 0.2
#: Seconds after which a look counts as hanging.
PATIENCE = 5.0
#: Bytes of the file that are looked at.
_READ = 64
_WORDS = {word.value.encode(): word for word in Activity}


class Unreadable(Exception):
    """The file says neither one nor the other; the message is a sentence."""


def read_activity(path: str) -> Activity:
    """Blocks, in a worker; raises Unreadable."""
    try:
        opened = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            text = os.read(opened, _READ)
        finally:
            os.close(opened)
    except OSError as problem:
        raise Unreadable(f"{path} can't be read: {problem.strerror}") from problem
    try:
        return _WORDS[text.strip().lower()]
    except KeyError:
        raise Unreadable(f"{path} says neither 'active' nor 'idle' but {text!r}") from None


@implementer(IActivityDetector)
class FileDetector:
    """Looks at a file.

    Once it has begun, a file that is gone, says something else, or doesn't answer is a warning, and
    what it said last stands: a file that is written anew is empty for a moment. To take that for
    activity would cost frames; to take it for idleness, the user's peace.
    """

    def __init__(self, path: str, *, reactor: IReactorTime, in_worker: RunsInWorker) -> None:
        self._path = path
        self._reactor = reactor
        self._in_worker = in_worker
        self._looks: _Looks | None = None

    def start(self, listener: IActivityListener) -> Deferred[Activity]:
        """As in ``IActivityDetector``."""
        self.stop()
        looks = self._looks = _Looks(
            self._path, listener, reactor=self._reactor, in_worker=self._in_worker
        )
        return looks.start()

    def stop(self) -> None:
        """As in ``IActivityDetector``."""
        if self._looks is not None:
            self._looks.stop()
            self._looks = None


class _Looks:
    """One look after the other, from ``start`` until ``stop``; a look that hangs is the last."""

    log = Logger()

    def __init__(
        self,
        path: str,
        listener: IActivityListener,
        *,
        reactor: IReactorTime,
        in_worker: RunsInWorker,
    ) -> None:
        self._path = path
        self._listener = listener
        self._reactor = reactor
        self._in_worker = in_worker
        self._known = Activity.IDLE
        self._in_trouble = False
        self._stopped = False
        self._timer: IDelayedCall | None = None

    def start(self) -> Deferred[Activity]:
        """Take the first look, which must succeed, and soon; fails with Undetectable."""
        first = self._look().addTimeout(PATIENCE, self._reactor, self._hangs)
        return first.addCallbacks(self._begun, _undetectable)

    def stop(self) -> None:
        """Nobody hears of what a look that is under way will see."""
        self._stopped = True
        self._forget_timer()

    def _look(self) -> Deferred[Activity]:
        return self._in_worker(partial(read_activity, self._path))

    def _begun(self, activity: Activity) -> Activity:
        self._known = activity
        self._look_in(POLL)
        return activity

    def _look_in(self, delay: float) -> None:
        if not self._stopped:
            self._timer = self._reactor.callLater(delay, self._look_again)

    def _look_again(self) -> None:
        self._timer = self._reactor.callLater(PATIENCE, self._is_late)
        look = self._look().addCallbacks(self._seen, self._not_seen)
        look.addErrback(lambda failure: self.log.failure("a look at activity failed", failure))

    def _is_late(self) -> None:
        self._timer = None
        self._complain(f"{self._path} does not answer")

    def _seen(self, activity: Activity) -> None:
        self._forget_timer()
        if self._stopped:
            return
        if self._in_trouble:
            self._in_trouble = False
            self.log.info("activity can be read again path={path}", path=self._path)
        self._look_in(POLL)
        if activity is not self._known:
            self._known = activity
            self._listener.changed(activity)

    def _not_seen(self, failure: Failure) -> None:
        failure.trap(Unreadable)
        self._forget_timer()
        self._complain(failure.getErrorMessage())
        self._look_in(POLL)

    def _complain(self, sentence: str) -> None:
        """Say it once, until it is over."""
        if not self._in_trouble and not self._stopped:
            self._in_trouble = True
            self.log.warn(
                "{sentence}: what it said last stands activity={known}",
                sentence=sentence,
                known=self._known.value,
            )

    def _hangs(self, _: object, seconds: float) -> Activity:
        raise Unreadable(f"{self._path} did not answer within {seconds:g} s")

    def _forget_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _undetectable(failure: Failure) -> Failure:
    failure.trap(Unreadable)
    return Failure(Undetectable(failure.getErrorMessage()))
