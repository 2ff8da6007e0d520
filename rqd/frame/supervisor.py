"""The running thing: a frame's supervisor as the reactor's child, and how frames' ends are told.

There is no output to wait for: the frame writes to its spool or log, the chain to its chain file,
so neither can block or break when the agent dies.
"""

from __future__ import annotations

import os
import signal
from typing import Any

from twisted.internet import fdesc
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorFDSet, IReadDescriptor
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure
from zope.interface import implementer

from rqd.frame.chain import ENDS
from rqd.frame.spawning import Spawner
from rqd.log import Logger


class Supervisor(ProcessProtocol):
    """A shell that runs frames, one after the other, as it is ordered to.

    ``pid`` is the session id of its frames; it is kept here because a session may outlive its
    leader. ``gone`` fires with the wait status of the supervisor itself.
    """

    pid: int

    def __init__(self) -> None:
        self.gone: Deferred[int] = Deferred()
        self._frame: Deferred[int] | None = None
        self._status: int | None = None
        self._writing = False
        self._waiting: list[Deferred[None]] = []

    @property
    def running(self) -> bool:
        return self._status is None

    def order(self, orders: bytes) -> Deferred[int]:
        """Run a frame (see ``rqd.frame.chain``); fires with its end, as a wait status.

        It is the supervisor's own end where that keeps it from telling the frame's.
        """
        if self._status is not None:
            return succeed(self._status)
        self._frame = Deferred()
        self._process.write(orders)
        return self._frame

    def when_written(self) -> Deferred[None]:
        """Fire once the end that it told is in the chain file, too, or it is gone itself."""
        written: Deferred[None] = Deferred()
        self._waiting.append(written)
        self._check_written()
        return written

    def dismiss(self) -> None:
        """There will be no more orders: it ends, if a frame still runs then after that."""
        self._process.closeStdin()

    def give_up(self) -> None:
        """It hangs in the kernel: for its frame that is the same as if it were killed."""
        self._status = signal.SIGKILL
        self._ended(signal.SIGKILL)

    def told(self, status: int) -> None:
        """The frame has ended: ``status`` is what its shell said."""
        self._writing = True
        self._ended(status << 8)

    def wrote(self) -> None:
        """The end is in the chain file."""
        self._writing = False
        self._check_written()

    def _check_written(self) -> None:
        if not (self._writing and self.running):
            waiting, self._waiting = self._waiting, []
            for written in waiting:
                written.callback(None)

    def connectionMade(self) -> None:
        self.pid = self._process.pid

    def processExited(self, reason: Failure) -> None:
        self._status = reason.value.status  # type: ignore[union-attr]
        self._ended(self._status)
        self._check_written()
        self.gone.callback(self._status)

    def _ended(self, status: int) -> None:
        frame, self._frame = self._frame, None
        if frame is not None:
            frame.callback(status)

    @property
    def _process(self) -> Any:
        return self.transport


@implementer(IReadDescriptor)
class Supervisors:
    """Starts supervisors, and hears of the ends of their frames on one pipe for all.

    The pipe is there for speed alone. An end that nobody hears is in the chain file.
    """

    log = Logger()

    def __init__(self, spawner: Spawner, *, reactor: IReactorFDSet) -> None:
        self._spawner = spawner
        self._reactor = reactor
        self._running: dict[int, Supervisor] = {}
        self._heard = b""
        self._reading, self._writing = os.pipe()
        fdesc.setNonBlocking(self._reading)
        reactor.addReader(self)

    def start(self, arguments: list[str], account: int) -> Supervisor:
        """Start one; raises OSError. ``account`` is its chain file; the caller closes it."""
        supervisor = Supervisor()
        descriptors = {1: account, 2: account, ENDS: self._writing}
        self._spawner.spawn(supervisor, arguments, {}, descriptors)
        self._running[supervisor.pid] = supervisor
        supervisor.gone.addCallback(self._gone, supervisor.pid)
        return supervisor

    def stop(self) -> None:
        """Hear no more."""
        if self._reading >= 0:
            self._reactor.removeReader(self)
            os.close(self._reading)
            os.close(self._writing)
            self._reading = -1

    def _gone(self, status: int, pid: int) -> int:
        del self._running[pid]
        return status

    # -- as the reactor sees it ------------------------------------------------------------------

    def fileno(self) -> int:
        return self._reading

    def logPrefix(self) -> str:
        return "supervisors"

    def connectionLost(self, reason: Failure) -> None:
        """The reactor ends."""
        self.stop()

    def doRead(self) -> None:
        """Tell the supervisors that were heard; a line may be read in two."""
        *lines, self._heard = (self._heard + os.read(self._reading, 1 << 16)).split(b"\n")
        for line in lines:
            try:
                self._heard_of(*map(int, line.split()))
            except (ValueError, TypeError, KeyError):
                self.log.warn("no end of a frame line={line}", line=line)

    def _heard_of(self, pid: int, status: int | None = None) -> None:
        """Raises KeyError for an end of nobody; one that has nothing more to do may be gone."""
        if status is not None:
            self._running[pid].told(status)
        elif pid in self._running:
            self._running[pid].wrote()
