"""Noticing a frame's output: how much, when, too much, and whether it has paused.

On the reactor; touches the spool only, which is local, so that the size limit and the times hold
while the log's file system hangs. A quiet spool costs one inotify watch; while output comes, it is
looked at every so often, less often the longer that goes on.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from rqd.logging.interfaces import IWakeups
from rqd.logging.marks import Marks

PACE_FIRST, PACE_LAST = 0.05, 0.25
"""Seconds between looks while output comes: the first pause, and what it doubles up to."""

PAUSE = 1.0
"""Seconds without output after which the pace begins anew; a line now and then doesn't."""

POLL = 1.0
"""Seconds between looks at a quiet spool where inotify is not to be had, or its disk hangs."""


class OutputSize:
    """Bytes of output against the limit (0: none); tells once when it is passed."""

    def __init__(self, limit: int, too_big: Callable[[], None]) -> None:
        self._limit = limit
        self._too_big: Callable[[], None] | None = too_big
        self.value = 0

    def check(self) -> None:
        """Tell if it is over the limit. The caller's last step: the log may be closed by this."""
        if self._too_big is not None and 0 < self._limit < self.value:
            tell, self._too_big = self._too_big, None
            tell()


class SpoolWatch:
    """Watches one spool; calls ``changed`` after each look, ``restarted`` when it was truncated.

    ``streak`` is the number of looks in a row that found output; 0 while the frame is quiet.
    """

    def __init__(
        self,
        spool_path: str,
        size: OutputSize,
        *,
        reactor: IReactorTime,
        wakeups: IWakeups,
        wall_clock: Callable[[], float],
        changed: Callable[[], None],
        restarted: Callable[[], None],
        hangs: Callable[[], bool] = lambda: False,
    ) -> None:
        """``hangs``: whether a look at the spool would hold up the reactor just now."""
        self.marks = Marks()
        self.seen = 0
        self.last_output = wall_clock()
        self.streak = 0
        self._path = spool_path
        self._size = size
        self._earlier = 0
        self._reactor = reactor
        self._wakeups = wakeups
        self._wall_clock = wall_clock
        self._hangs = hangs
        self._changed = changed
        self._restarted = restarted
        self._token: int | None = None
        self._call: IDelayedCall | None = None
        self._pace = PACE_FIRST
        self._latest = 0.0

    def start(self) -> None:
        """Begin: with a look, as there may be output already."""
        self._tick()

    def stop(self) -> None:
        """No more looks but those asked for."""
        self.streak = 0
        if self._token is not None:
            self._wakeups.disarm(self._token)
            self._token = None
        if self._call is not None:
            self._call.cancel()
            self._call = None

    def look(self) -> bool:
        """See how much there is now; whether that is news. A few microseconds."""
        try:
            facts = os.stat(self._path)
        except OSError:
            return False
        if facts.st_size == self.seen:
            return False
        if facts.st_size < self.seen:
            self._begin_anew()
        self.seen = facts.st_size
        self.last_output = min(facts.st_mtime, self._wall_clock())
        self.marks.add(self.seen, int(self.last_output))
        self._size.value = self._earlier + self.seen
        return True

    def _begin_anew(self) -> None:
        """The frame truncated its output (``echo > /dev/stderr`` does)."""
        self._earlier += self.seen
        self.marks.clear()
        self._restarted()

    def _tick(self) -> None:
        self._call = self._token = None
        if self._hangs():
            self._call = self._reactor.callLater(POLL, self._tick)
            return
        self.streak = self.streak + 1 if self.look() else 0
        if self.streak:
            self._look_again()
        else:
            self._wait()
        self._changed()
        self._size.check()

    def _look_again(self) -> None:
        now = self._reactor.seconds()
        if now - self._latest > PAUSE:
            self._pace = PACE_FIRST
        self._latest = now
        self._call = self._reactor.callLater(self._pace, self._tick)
        self._pace = min(self._pace * 2, PACE_LAST)

    def _wait(self) -> None:
        """Sleep until the next output; what came before the watch was set is seen by a look."""
        self._token = self._wakeups.arm(self._path, self._tick)
        if self._token is None:
            self._call = self._reactor.callLater(POLL, self._tick)
        elif self.look():
            self._wakeups.disarm(self._token)
            self._token, self.streak = None, 1
            self._look_again()
