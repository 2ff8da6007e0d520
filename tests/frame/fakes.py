"""What a frame lives among, in memory: workers, processes, logs, moved by the test."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet.defer import Deferred, execute
from twisted.internet.error import ProcessDone, ProcessTerminated
from twisted.internet.interfaces import IReactorFDSet, IReactorTime
from twisted.internet.protocol import ProcessProtocol
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from zope.interface import implementer

from rqd.frame.exits import FrameEnd
from rqd.frame.members import IMembers
from rqd.logging.interfaces import IFrameLog, IWorkers, LogUnavailable
from rqd.system.sampler import Membership
from tests.logging.fakes import MemoryLog, MemoryLogs


@implementer(IWorkers)
class Workers:
    """Runs jobs at once, but those of a purpose or a path that is held when it is released."""

    def __init__(self) -> None:
        self.broken: dict[str, Exception] = {}
        self._held: dict[str, list[tuple[Deferred[Any], Callable[..., Any], tuple[Any, ...]]]] = {}

    def hold(self, where: str) -> None:
        self._held.setdefault(where, [])

    def release(self, where: str) -> None:
        for waiting, function, args in self._held.pop(where):
            execute(function, *args).chainDeferred(waiting)

    def run(self, path: str, function: Callable[..., Any], *args: Any) -> Deferred[Any]:
        """As in ``IWorkers``."""
        return self.run_for(path, function, *args)

    def run_for(self, purpose: str, function: Callable[..., Any], *args: Any) -> Deferred[Any]:
        """As in ``IWorkers``."""
        if purpose in self._held:
            waiting: Deferred[Any] = Deferred()
            self._held[purpose].append((waiting, function, args))
            return waiting
        if purpose in self.broken:
            return execute(_raise, self.broken[purpose])
        return execute(function, *args)


def _raise(error: Exception) -> None:
    raise error


class FakeProcess:
    """A supervisor as the reactor's child: the transport that its protocol has."""

    def __init__(
        self, pid: int, protocol: ProcessProtocol, arguments: list[str], account: int
    ) -> None:
        self.pid = pid
        self.protocol = protocol
        self.arguments = arguments
        self.orders = b""
        """The last that it was given."""
        self.waits = True
        """Whether there may be more."""
        self.dead = False
        self._account = os.dup(account)

    def write(self, text: bytes) -> None:
        """As in C{IProcessTransport}."""
        self.orders = text

    def closeStdin(self) -> None:
        """As in C{IProcessTransport}; a supervisor that does nothing ends."""
        waited, self.waits = self.waits, False
        if waited and not self.orders and "openrqd" in self.arguments:
            self.die(0)

    @property
    def words(self) -> list[str]:
        """The orders as a shell splits them."""
        return shlex.split(self.orders.decode())

    @property
    def exported(self) -> dict[str, str]:
        """The environment that it makes of its orders."""
        pairs = [word.partition("=") for word in self.words[self.words.index("export") + 1 :]]
        return {name: value for name, equals, value in pairs if equals}

    def say(self, text: bytes) -> None:
        """The chain writes to its account."""
        os.write(self._account, text)

    def begin(self) -> None:
        """The frame's own shell takes over."""
        self.say(b"born %d\nup\n" % self.pid)

    def print(self, text: bytes) -> None:
        """The frame writes to where it was told to."""
        (output,) = (word[3:] for word in self.words if word.startswith("3>>"))
        with open(output, "ab") as file:
            file.write(text)

    def end(self, status: int) -> None:
        """The frame is gone: C{status} is what its shell said. The supervisor waits for more."""
        self.orders = b""
        self.protocol.told(status)  # type: ignore[attr-defined]
        self.protocol.wrote()  # type: ignore[attr-defined]
        if not self.waits:
            self.die(0)

    def die(self, status: int) -> None:
        """The process is gone; C{status} is a wait status."""
        if self.dead:
            return
        self.waits, self.dead = False, True
        self.close()
        ended = ProcessDone(0) if status == 0 else ProcessTerminated(None, None, status)
        self.protocol.processExited(Failure(ended))
        self.protocol.processEnded(Failure(ended))

    def close(self) -> None:
        """Let go of what it holds."""
        account, self._account = self._account, -1
        if account >= 0:
            os.close(account)


@implementer(IReactorTime, IReactorFDSet)
class ProcessReactor(Clock):
    """A clock that starts processes by remembering them. No process has such a pid as theirs."""

    def addReader(self, reader: object) -> None:
        """As in C{IReactorFDSet}; nothing is ever read."""

    def removeReader(self, reader: object) -> None:
        """As in C{IReactorFDSet}."""

    def __init__(self) -> None:
        super().__init__()
        self.spawned: list[FakeProcess] = []
        self.refusal: OSError | None = None

    def spawn(
        self,
        protocol: ProcessProtocol,
        arguments: list[str],
        environment: Mapping[str, str],
        descriptors: Mapping[int, int],
    ) -> None:
        """As in C{Spawner}."""
        if self.refusal is not None:
            raise self.refusal
        pid = (1 << 22) + len(self.spawned) + 1
        process = FakeProcess(pid, protocol, list(arguments), descriptors[1])
        self.spawned.append(process)
        protocol.makeConnection(process)  # type: ignore[arg-type]


class HangingLogs(MemoryLogs):
    """The folder of the logs does not answer before ``answer``."""

    def __init__(self) -> None:
        super().__init__()
        self.opening: list[tuple[Deferred[Any], MemoryLog, Any]] = []

    def open(self, path: str, header: bytes, **facts: Any) -> Deferred[IFrameLog]:  # type: ignore[override]
        """As in ``IFrameLogs``."""
        log = self._hang(path, header, facts)
        self.opening.append((Deferred(), log, log))
        return self.opening[-1][0]

    def begin(  # type: ignore[override]
        self, path: str, header: bytes, **facts: Any
    ) -> tuple[IFrameLog, Deferred[None]]:
        """As in ``IFrameLogs``."""
        log = self._hang(path, header, facts)
        self.opening.append((Deferred(), log, None))
        return log, self.opening[-1][0]

    def _hang(self, path: str, header: bytes, facts: dict[str, Any]) -> MemoryLog:
        log = self.logs[path] = MemoryLog(path, header, self._max_size, facts["too_big"])
        log.hang()
        return log

    def answer(self, refusal: str | None = None) -> None:
        """It answers; a refused log that was started tries on, as it is told to."""
        opening, self.opening = self.opening, []
        for waiting, log, result in opening:
            if refusal is None:
                log.release()
                waiting.callback(result)
            else:
                waiting.errback(LogUnavailable(refusal))


@implementer(IMembers)
class FakeMembers:
    """Processes that do with a signal what the test says."""

    supervisor = 7

    def __init__(self, *pids: int) -> None:
        self.alive = list(pids)
        self.heard: list[tuple[int, ...]] = []
        self.kills = 0
        self.wakes = 0
        self.killed_by_kernel = 0
        self.deaf_to_kill = 0
        """How many KILLs it takes."""

    def pids(self) -> list[int]:
        """As in ``IMembers``."""
        return list(self.alive)

    def membership(self) -> Membership:
        """As in ``IMembers``."""
        return Membership(0, self.alive)

    def oom_kills(self) -> int:
        """As in ``IMembers``."""
        return self.killed_by_kernel

    def send(self, number: int) -> int:
        """As in ``IMembers``."""
        self.heard.append((number, *self.alive))
        return len(self.alive)

    def wake(self) -> None:
        """As in ``IMembers``."""
        self.wakes += 1

    def kill(self) -> None:
        """As in ``IMembers``."""
        self.kills += 1
        if self.kills > self.deaf_to_kill:
            self.alive = []


def composed(frame: Any, end: FrameEnd) -> bytes:
    """A report that tests can read."""
    return f"{end.exit_status}/{end.exit_signal} {end.reason}".encode()
