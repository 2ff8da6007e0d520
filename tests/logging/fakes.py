"""Frame logs in memory, for tests of the rooms that use logs. Pass the same contract tests."""

from __future__ import annotations

import os
from collections.abc import Callable

from twisted.internet.defer import Deferred, fail, succeed
from zope.interface import implementer

from rqd.logging.interfaces import IDirectLog, IFrameLog, IFrameLogs, LogUnavailable


@implementer(IDirectLog)
class MemoryLog:
    """A log that is a few byte strings. ``write`` plays the frame."""

    def __init__(self, path: str, header: bytes, limit: int, too_big: Callable[[], None]) -> None:
        self.path = path
        self.header = header
        self.output = b""
        self.footer: bytes | None = None
        self.started = self.left = False
        self.last_output = 0.0
        self.hanging: list[Deferred[None]] | None = None
        self._limit = limit
        self._too_big = too_big
        self._told = False

    @property
    def size(self) -> int:
        """Bytes of output so far, as far as the log was looked at."""
        return len(self.output) if self.started else 0

    @property
    def text(self) -> bytes:
        """What the log file would hold."""
        return self.header + self.output + (self.footer or b"")

    def write(self, output: bytes, at: float = 0.0) -> None:
        """The frame prints."""
        self.output += output
        self.last_output = at
        self._check()

    def hang(self) -> None:
        """From now on the file system does not answer."""
        self.hanging = []

    def release(self) -> None:
        """It answers again."""
        hanging, self.hanging = self.hanging or [], None
        for waiting in hanging:
            waiting.callback(None)

    @property
    def target(self) -> str:
        """As in ``IDirectLog``; leads nowhere."""
        return os.devnull

    def start(self) -> None:
        """As in ``IFrameLog``."""
        self.started = True
        self._check()

    def tail(self, lines: int) -> Deferred[bytes]:
        """As in ``IFrameLog``."""
        kept = self.output.splitlines(keepends=True) if lines > 0 else []
        return succeed(b"".join(kept[-lines:])[-(1 << 20) :])

    def late(self) -> None:
        """As in ``IFrameLog``."""

    def close(self, footer: bytes) -> Deferred[None]:
        """As in ``IFrameLog``."""
        waiting: Deferred[None] = Deferred()
        waiting.addCallback(lambda _: self._end(footer))
        if self.hanging is None:
            waiting.callback(None)
        else:
            self.hanging.append(waiting)
        return waiting

    def leave(self) -> None:
        """As in ``IFrameLog``."""
        self.left = True

    def _end(self, footer: bytes) -> None:
        line_start = not self.output or self.output.endswith(b"\n")
        self.footer = footer if line_start else b"\n" + footer

    def _check(self) -> None:
        if self.started and not self._told and 0 < self._limit < len(self.output):
            self._told = True
            self._too_big()


@implementer(IFrameLogs)
class MemoryLogs:
    """Logs by path. ``refusal``: what the next openings fail with."""

    def __init__(self, max_size: int = 0) -> None:
        self.logs: dict[str, MemoryLog] = {}
        self.rotated: list[MemoryLog] = []
        self.owners: dict[str, tuple[int, int] | None] = {}
        self.refusal: str | None = None
        self._max_size = max_size

    def open(
        self,
        path: str,
        header: bytes,
        *,
        spool_path: str | None,
        checkpoint_path: str,
        owner: tuple[int, int] | None,
        too_big: Callable[[], None],
    ) -> Deferred[IFrameLog]:
        """As in ``IFrameLogs``."""
        log = MemoryLog(path, header, self._max_size, too_big)
        if self.refusal is not None:
            return fail(LogUnavailable(self.refusal))
        self._keep(path, log, owner)
        return succeed(log)

    def begin(
        self,
        path: str,
        header: bytes,
        *,
        spool_path: str,
        checkpoint_path: str,
        owner: tuple[int, int] | None,
        too_big: Callable[[], None],
    ) -> tuple[IFrameLog, Deferred[None]]:
        """As in ``IFrameLogs``."""
        log = MemoryLog(path, header, self._max_size, too_big)
        if self.refusal is not None:
            return log, fail(LogUnavailable(self.refusal))
        self._keep(path, log, owner)
        return log, succeed(None)

    def _keep(self, path: str, log: MemoryLog, owner: tuple[int, int] | None) -> None:
        if path in self.logs:
            self.rotated.append(self.logs[path])
        self.logs[path] = log
        self.owners[path] = owner

    def resume(
        self,
        path: str,
        header: bytes,
        *,
        spool_path: str | None,
        checkpoint_path: str,
        owner: tuple[int, int] | None,
        too_big: Callable[[], None],
    ) -> Deferred[IFrameLog]:
        """As in ``IFrameLogs``."""
        old = self.logs.get(path)
        log = MemoryLog(path, old.header if old else header, self._max_size, too_big)
        log.output = old.output if old else b""
        self.logs[path] = log
        return succeed(log)
