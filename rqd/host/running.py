"""Running one of the machine's commands: what it said, and how it ended."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

from rqd.frame.spawning import Spawner

#: Bytes of what a command says that are told.
_TOLD = 2048


class CommandFailed(Exception):
    """It did not do what it is there for; the message is a sentence with what it said."""


class _Exit(ProcessProtocol):
    def __init__(self) -> None:
        self.exited: Deferred[int] = Deferred()

    def connectionMade(self) -> None:
        """Nobody has a word for it."""
        assert self.transport is not None
        self.transport.closeStdin()

    def processExited(self, reason: Failure) -> None:
        self.exited.callback(reason.value.status)  # type: ignore[union-attr]

    def end(self) -> None:
        assert self.transport is not None
        self.transport.signalProcess("KILL")


class Runner:
    """Runs commands, their programs by path, each for a bounded time."""

    def __init__(
        self, *, reactor: IReactorTime, processes: Spawner, environ: Mapping[str, str]
    ) -> None:
        self._reactor = reactor
        self._processes = processes
        self._environ = environ

    async def run(self, command: Sequence[str], patience: float) -> str:
        """Return what it said; raises CommandFailed, also if it takes longer than ``patience`` s.

        Its output goes to memory that has no name, so that nothing has to be read while it runs,
        and nothing that it leaves running can hold this up.
        """
        output = os.memfd_create("openrqd-command", os.MFD_CLOEXEC)
        try:
            status = await self._status(command, output, patience)
            said = _end_of(output)
        finally:
            os.close(output)
        if status:
            ended = f"ended with {status}" if status > 0 else f"was ended by signal {-status}"
            raise CommandFailed(f"{' '.join(command)} {ended}: {said or 'it said nothing'}")
        return said

    async def _status(self, command: Sequence[str], output: int, patience: float) -> int:
        """The exit status, or minus the signal."""
        ended = _Exit()
        try:
            descriptors = {1: output, 2: output}
            self._processes.spawn(ended, list(command), self._environ, descriptors)
        except OSError as problem:
            raise CommandFailed(f"{command[0]} can't be run: {problem.strerror}") from problem
        impatience = self._reactor.callLater(patience, ended.end)
        status = await ended.exited
        if impatience.active():
            impatience.cancel()
        return os.waitstatus_to_exitcode(status)


def _end_of(output: int) -> str:
    size = os.fstat(output).st_size
    text = os.pread(output, _TOLD, max(0, size - _TOLD))
    return text.decode(errors="replace").strip()
