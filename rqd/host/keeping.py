"""The host's record on disk: one small file in the state folder.

::

    <snapshots_path>/host.json        0600, replaced as a whole
    <snapshots_path>/host.json.bad    one that made no sense, set aside for people to look at
"""

from __future__ import annotations

import os
from contextlib import suppress

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure

from rqd.host.record import HostRecord, decode, encode
from rqd.log import Logger
from rqd.logging.interfaces import IWorkers
from rqd.logging.mounts import WorkersStopped
from rqd.private import read_private

NAME = "host.json"
#: How long whoever asked for a change waits for the disk, seconds: a disk that hangs must not look
#: like an agent that does.
PATIENCE = 1.0
#: Seconds until a write that failed is tried again.
RETRY = 10.0
#: Bytes. No record is as long.
_LARGEST = 64 << 10

_log = Logger()


def load(folder: str) -> HostRecord | None:
    """Return what an earlier agent left, or None. Blocks; for the start of the agent.

    What can't be trusted is set aside, with a warning; this raises nothing.
    """
    path = os.path.join(folder, NAME)
    try:
        return decode(read_private(path, _LARGEST)[0])
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as problem:
        _log.warn(
            "locks and NIMBY of the last run are lost, their file is set aside path={path}"
            " reason={reason}",
            path=path,
            reason=problem,
        )
        with suppress(OSError):
            os.replace(path, path + ".bad")
        return None


def save(folder: str, text: bytes) -> None:
    """Put ``text`` in the file's place; blocks, in a worker; raises OSError.

    It is synced: a lock that was set by hand is to be there after a power cut, too.
    """
    path = os.path.join(folder, NAME)
    new = path + ".new"
    with suppress(FileNotFoundError):
        os.unlink(new)
    opened = os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    try:
        with open(opened, "wb") as file:
            file.write(text)
            file.flush()
            os.fsync(opened)
        os.replace(new, path)
    except BaseException:
        with suppress(OSError):  # the reason for the first is what counts
            os.unlink(new)
        raise


class Keeper:
    """Writes the newest record, one write at a time; those in between are never written.

    What can't be written is tried again until it can: said once, and once that it is over.
    """

    log = Logger()

    def __init__(self, folder: str, *, reactor: IReactorTime, workers: IWorkers) -> None:
        self._folder = folder
        self._reactor = reactor
        self._workers = workers
        self._newest: HostRecord | None = None
        self._on_disk: HostRecord | None = None
        self._writing = self._failing = False
        self._retry: IDelayedCall | None = None
        self._waiting: list[Deferred[None]] = []

    def found(self, record: HostRecord) -> None:
        """This is there already."""
        self._on_disk = record

    def keep(self, record: HostRecord) -> None:
        """Let this be what the next agent finds."""
        self._newest = record
        self._write()

    def kept(self) -> Deferred[None]:
        """Fire once the newest record is on disk or could not be written; after 1 s at most."""
        kept: Deferred[None] = Deferred()
        if not self._writing:
            kept.callback(None)
            return kept
        self._waiting.append(kept)
        return kept.addTimeout(PATIENCE, self._reactor, lambda *_: None)

    def _write(self) -> None:
        if self._writing:
            return
        if self._retry is not None and self._retry.active():
            self._retry.cancel()
        waiting, self._waiting = self._waiting, []
        if self._newest is None or self._newest == self._on_disk:
            _tell(waiting)
            return
        self._writing = True
        record = self._newest
        written = self._workers.run_for("state", save, self._folder, encode(record))
        written.addCallbacks(self._written, self._failed, callbackArgs=(record,))
        written.addCallback(self._ended, record, waiting)

    def _written(self, _: None, record: HostRecord) -> None:
        self._on_disk = record
        if self._failing:
            self._failing = False
            self.log.info("locks and NIMBY would survive a restart again")

    def _failed(self, failure: Failure) -> None:
        if failure.check(WorkersStopped):
            return
        self._retry = self._reactor.callLater(RETRY, self._write)
        if not self._failing:
            self._failing = True
            self.log.error(
                "locks and NIMBY would not survive a restart reason={reason}", reason=failure.value
            )

    def _ended(self, _: None, record: HostRecord, waiting: list[Deferred[None]]) -> None:
        """Go on with what is newer by now; a write that failed isn't repeated at once."""
        self._writing = False
        _tell(waiting)
        if record != self._newest:
            self._write()
        else:
            waiting, self._waiting = self._waiting, []
            _tell(waiting)


def _tell(waiting: list[Deferred[None]]) -> None:
    for kept in waiting:
        if not kept.called:
            kept.callback(None)
