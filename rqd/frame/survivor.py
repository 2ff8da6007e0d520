"""The supervisor of a frame that an earlier agent started: known again, and heard of when it ends.

It is nobody's child here, so nothing can be waited for but its end; how the frame ended is in its
chain file. A supervisor ends by itself after its frame once the agent that started it is gone.
"""

from __future__ import annotations

import os
from contextlib import suppress

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFDSet, IReactorTime, IReadDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer

from rqd.frame.patience import after
from rqd.frame.records import Whereabouts
from rqd.system.identity import ProcessIdentity, identity

#: Seconds between looks where the kernel has no ``pidfd``.
POLL = 1.0


def lives(where: Whereabouts, chain: str, proc_root: str = "/proc") -> bool:
    """Whether the supervisor of ``where`` runs. Reads pseudo-files only.

    A pid that was used again has another start time, or is of another boot; whoever got it does
    not hold the chain file as its output either. A check that can't be made refutes nothing.
    """
    known = ProcessIdentity(where.supervisor, where.start_ticks, where.boot_id)
    try:
        if not where.start_ticks or identity(where.supervisor, proc_root) != known:
            return False
    except (OSError, ValueError, IndexError):
        return False
    if where.container:
        return True  # its output goes nowhere
    try:
        output = os.stat(f"{proc_root}/{where.supervisor}/fd/1")
        return os.path.samestat(output, os.stat(chain))
    except OSError:
        return identity(where.supervisor, proc_root) == known  # it may have ended just now


@implementer(IReadDescriptor)
class Survivor:
    """What remains to be seen of a supervisor; ``gone`` fires, once, with 0."""

    def __init__(
        self,
        where: Whereabouts,
        chain: str,
        *,
        reactor: IReactorFDSet,
        clock: IReactorTime,
        proc_root: str = "/proc",
    ) -> None:
        """Look for it: ``running`` tells whether it was found."""
        self.pid = where.supervisor
        self.gone: Deferred[int] = Deferred()
        self._where = where
        self._chain = chain
        self._reactor = reactor
        self._clock = clock
        self._proc_root = proc_root
        self._pidfd = -1
        with suppress(OSError):  # first, so that it can be of no later process than was looked at
            self._pidfd = os.pidfd_open(self.pid)
        self.running = lives(where, chain, proc_root)
        if not self.running:
            self._ended()
        elif self._pidfd >= 0:
            reactor.addReader(self)
        else:
            clock.callLater(POLL, self._look)

    def dismiss(self) -> None:
        """It takes no orders any more: nobody has the other end of its stdin."""

    def when_written(self) -> Deferred[None]:
        """Fire once it is gone: it writes the end of its frame before that."""
        return after(self.gone)

    def give_up(self) -> None:
        """It hangs in the kernel: it is not looked at any more. It may have ended just now."""
        if self._pidfd >= 0:
            self._reactor.removeReader(self)
        if self.running:
            self._ended()

    def _look(self) -> None:
        if not self.running:
            return
        if lives(self._where, self._chain, self._proc_root):
            self._clock.callLater(POLL, self._look)
        else:
            self._ended()

    def _ended(self) -> None:
        self._close()
        self.running = False
        self.gone.callback(0)

    def _close(self) -> None:
        pidfd, self._pidfd = self._pidfd, -1
        if pidfd >= 0:
            os.close(pidfd)

    # -- as the reactor sees it ------------------------------------------------------------------

    def fileno(self) -> int:
        return self._pidfd

    def logPrefix(self) -> str:
        return "survivor"

    def doRead(self) -> None:
        """Its ``pidfd`` is readable: it has ended."""
        self._reactor.removeReader(self)
        self._ended()

    def connectionLost(self, reason: Failure) -> None:
        """The reactor ends."""
        self._close()
