"""Starting supervisors in the cheapest way that the system has, and learning of their ends.

Twisted's ``spawnProcess`` uses ``posix_spawn`` too (from 23.8), but cannot ask it for a session, so
that a program ``setsid`` would have to run first; it looks at each open descriptor and each signal
of the agent on the way; and at every end it asks about each process that runs. Here a ``pidfd``
tells the reactor which one has ended.
"""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import Any, Protocol

from twisted.internet import fdesc
from twisted.internet.abstract import FileDescriptor
from twisted.internet.error import ProcessDone, ProcessTerminated
from twisted.internet.interfaces import IReactorFDSet, IReadDescriptor
from twisted.internet.process import registerReapProcessHandler, unregisterReapProcessHandler
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure
from zope.interface import implementer

#: What Python ignores, and SIGHUP, which ``nohup`` does: children would ignore it, too.
_SET_BACK = (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGHUP)


class Spawner(Protocol):
    """Starts processes that wait for words on their stdin."""

    def spawn(
        self,
        protocol: ProcessProtocol,
        arguments: list[str],
        environment: Mapping[str, str],
        descriptors: Mapping[int, int],
    ) -> None:
        """Start ``arguments`` in a session of its own; its first is a path. Raises OSError.

        ``descriptors`` are its numbers to the agent's, from 1 on; 0 is a pipe to write to.
        ``protocol`` is connected to a ``SessionProcess``, or what behaves like one.
        """


class SessionSpawner:
    """Starts real processes.

    Every descriptor of the agent must be close-on-exec: Python's and gRPC's are, and those that the
    agent was started with are made so here.
    """

    def __init__(
        self,
        reactor: IReactorFDSet,
        starting: Callable[[], AbstractContextManager[object]] = nullcontext,
    ) -> None:
        """``starting`` is entered around each start, for what children would inherit."""
        self._reactor = reactor
        self._starting = starting
        for descriptor in map(int, os.listdir("/proc/self/fd")):
            if descriptor > 2:
                with suppress(OSError):  # one is the listing's own, closed since
                    os.set_inheritable(descriptor, False)

    def spawn(
        self,
        protocol: ProcessProtocol,
        arguments: list[str],
        environment: Mapping[str, str],
        descriptors: Mapping[int, int],
    ) -> None:
        """See ``Spawner``."""
        with self._starting():
            SessionProcess(self._reactor, protocol, arguments, environment, descriptors)


@implementer(IReadDescriptor)
class SessionProcess:
    """The transport of a process that leads its own session.

    The reactor reads its ``pidfd``; where the kernel has none, Twisted's SIGCHLD handler asks.
    """

    def __init__(
        self,
        reactor: IReactorFDSet,
        protocol: ProcessProtocol,
        arguments: list[str],
        environment: Mapping[str, str],
        descriptors: Mapping[int, int],
    ) -> None:
        reading, writing = os.pipe()
        try:
            self.pid = os.posix_spawn(
                arguments[0],
                arguments,
                environment,
                file_actions=[
                    (os.POSIX_SPAWN_DUP2, reading, 0),
                    *((os.POSIX_SPAWN_DUP2, ours, its) for its, ours in descriptors.items()),
                ],
                setsid=True,
                setsigdef=_SET_BACK,
            )
        except OSError:
            os.close(writing)
            raise
        finally:
            os.close(reading)
        self._reactor = reactor
        self._protocol = protocol
        self._stdin = _Stdin(reactor, writing)
        self._pidfd = -1
        self._runs = True
        protocol.makeConnection(self)
        self._watch()

    def write(self, text: bytes) -> None:
        """Write to its stdin; one that is gone reads nothing, and its end tells more."""
        self._stdin.say(text)

    def closeStdin(self) -> None:
        """Let it read to the end of what was written."""
        self._stdin.loseConnection()

    def signalProcess(self, name: str) -> None:
        """Send SIG``name``; nothing happens to one that has ended."""
        if self._runs:
            os.kill(self.pid, signal.Signals[f"SIG{name}"])

    def _watch(self) -> None:
        try:
            self._pidfd = os.pidfd_open(self.pid)
        except OSError:
            registerReapProcessHandler(self.pid, self)
        else:
            self._reactor.addReader(self)

    def reapProcess(self) -> None:
        """See whether it has ended; Twisted calls this at a SIGCHLD."""
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        if pid:
            unregisterReapProcessHandler(pid, self)
            self.processEnded(status)

    def processEnded(self, status: int) -> None:
        """It is gone; nothing else of it can be waited for."""
        self._runs = False
        self._stdin.loseConnection()
        ended = ProcessDone(status) if status == 0 else _terminated(status)
        self._protocol.processExited(Failure(ended))
        self._protocol.processEnded(Failure(ended))

    # -- as the reactor sees it ------------------------------------------------------------------

    def fileno(self) -> int:
        return self._pidfd

    def logPrefix(self) -> str:
        return "process"

    def doRead(self) -> None:
        """Its ``pidfd`` is readable: it has ended."""
        self._close()
        _, status = os.waitpid(self.pid, 0)
        self.processEnded(status)

    def connectionLost(self, reason: Failure) -> None:
        """The reactor ends."""
        self._close()

    def _close(self) -> None:
        self._reactor.removeReader(self)
        pidfd, self._pidfd = self._pidfd, -1
        if pidfd >= 0:
            os.close(pidfd)


class _Stdin(FileDescriptor):
    """The writing end of a pipe. What it doesn't take at once, the reactor writes."""

    def __init__(self, reactor: Any, descriptor: int) -> None:
        super().__init__(reactor)
        fdesc.setNonBlocking(descriptor)
        self._descriptor = descriptor
        self.connected = 1

    def say(self, text: bytes) -> None:
        written = self.writeSomeData(text)
        if isinstance(written, int) and 0 <= written < len(text):
            self.write(text[written:])

    def fileno(self) -> int:
        return self._descriptor

    def writeSomeData(self, data: bytes) -> int | Exception:
        return fdesc.writeToFD(self._descriptor, data)

    def loseConnection(self, *_: object) -> None:
        """Close it, at once if nothing is left to be written."""
        if self.dataBuffer or self._tempDataBuffer:
            super().loseConnection()
        elif self.connected:
            self.connectionLost(Failure(ProcessDone(0)))

    def connectionLost(self, reason: Failure) -> None:
        super().connectionLost(reason)
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


def _terminated(status: int) -> ProcessTerminated:
    if os.WIFSIGNALED(status):
        return ProcessTerminated(None, os.WTERMSIG(status), status)
    return ProcessTerminated(os.WEXITSTATUS(status), None, status)


def raise_descriptor_limit() -> int:
    """Let the agent open as many files as it may: each frame costs one. Return the limit before.

    Frames get that one back: programs that were never meant for more exist.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return soft
