"""Opening and resuming frame logs: the logging room's front door."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from rqd.blanks import Blanks
from rqd.logging import checkpoint, spool
from rqd.logging.checkpoint import Position
from rqd.logging.copier import Copier
from rqd.logging.directlog import DirectFile, DirectLog
from rqd.logging.interfaces import IFrameLog, IFrameLogs, IWakeups, IWorkers
from rqd.logging.logfile import LogFile
from rqd.logging.mounttable import MountTable
from rqd.logging.rounds import Rounds
from rqd.logging.spoollog import Means, SpoolLog
from rqd.logging.troubles import Troubles
from rqd.logging.watching import OutputSize

_Found = tuple[Position, int]
_UNKNOWN = -1
_NOTHING: _Found = (Position(0, 0, True), 0)


@implementer(IFrameLogs)
class FrameLogs:
    """Opens logs of both kinds: copied from a spool, and written by the frame itself."""

    def __init__(
        self,
        *,
        reactor: IReactorTime,
        workers: IWorkers,
        wakeups: IWakeups,
        table: MountTable,
        blanks: Blanks,
        max_size: int,
        wall_clock: Callable[[], float] = time.time,
        spools_hang: Callable[[], bool] = lambda: False,
    ) -> None:
        """``max_size``: bytes of output after which ``too_big`` is called, 0 for no limit."""
        troubles = Troubles(lambda path: table.mount_of(path).point)
        self._means = Means(reactor, workers, wakeups, wall_clock, spools_hang, troubles)
        self._workers = workers
        self._table = table
        self._blanks = blanks
        self._max_size = max_size
        self._rounds = Rounds(
            reactor=reactor, workers=workers, mount_of=lambda path: table.mount_of(path).point
        )

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
        """A new log; fails with ``LogUnavailable``."""
        if spool_path is None:
            log = self._direct(path, _NOTHING, checkpoint_path, owner, too_big)
            return log.open(header).addCallback(lambda _: log)
        following, opened = self.begin(
            path,
            header,
            spool_path=spool_path,
            checkpoint_path=checkpoint_path,
            owner=owner,
            too_big=too_big,
        )
        return opened.addCallback(lambda _: following)

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
        """A new log that can be started before it is open."""
        log = self._spooled(
            path, _NOTHING, spool_path, checkpoint_path, owner, too_big, header=header
        )
        return log, log.open()

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
        """An earlier agent's log: goes on where its checkpoint says."""

        def found(checkpoint: _Found | None) -> IFrameLog:
            known = checkpoint or _NOTHING
            missing = header if checkpoint is None else None
            if spool_path is None:
                return self._direct(path, known, checkpoint_path, owner, too_big, header=missing)
            return self._spooled(
                path, known, spool_path, checkpoint_path, owner, too_big, header=missing
            )

        return self._workers.run_for("state", _find, spool_path, checkpoint_path).addCallback(found)

    def _spooled(
        self,
        path: str,
        known: _Found,
        spool_path: str,
        checkpoint_path: str,
        owner: tuple[int, int] | None,
        too_big: Callable[[], None],
        *,
        header: bytes | None,
    ) -> SpoolLog:
        position, inode = known
        copier = Copier(
            self._file(path, inode, owner),
            spool_path,
            checkpoint_path,
            self._blanks,
            header=header,
            late_errors=not self._table.mount_of(path).local,
        )
        size = OutputSize(self._max_size, too_big)
        return SpoolLog(path, spool_path, copier, position, size, self._means)

    def _direct(
        self,
        path: str,
        known: _Found,
        checkpoint_path: str,
        owner: tuple[int, int] | None,
        too_big: Callable[[], None],
        *,
        header: bytes | None = None,
    ) -> DirectLog:
        position, inode = known
        file = DirectFile(
            self._file(path, inode, owner), checkpoint_path, position, self._blanks, header
        )
        size = OutputSize(self._max_size, too_big)
        return DirectLog(path, file, size, self._means, self._rounds)

    def _file(self, path: str, inode: int, owner: tuple[int, int] | None) -> LogFile:
        steady = not self._table.mount_of(path).fstype.startswith("fuse")
        return LogFile(path, inode, owner, steady=steady)


def _find(spool_path: str | None, checkpoint_path: str) -> _Found | None:
    """In a worker for local disk: what the checkpoint says, ``None`` if there never was one.

    From a damaged one nothing is known: rather repeat text than lose it.
    """
    found = checkpoint.load(checkpoint_path)
    if found is None and not checkpoint.was_written(checkpoint_path):
        return None
    if found is not None:
        position, inode = found
        restarted = spool_path is not None and spool.size(spool_path) < position.offset
        return (position.restarted() if restarted else position), inode
    offset = 0
    if spool_path is not None:
        with suppress(OSError):
            offset = spool.first_data(spool_path)
    return Position(offset, 0 if spool_path is None else _UNKNOWN, True), 0
