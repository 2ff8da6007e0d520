"""Old files of no frame, looked for once a day: an agent may live for months."""

from __future__ import annotations

from collections.abc import Callable, Collection

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall

from rqd.frame.leftovers import remove_old
from rqd.frame.records import Records
from rqd.frame.statedisk import StateDisk
from rqd.log import Logger

#: Seconds between two looks. The first is the recovery's, when the agent starts.
PAUSE = 86400.0


class Housekeeping:
    """What a recovery does once, done again and again."""

    log = Logger()

    def __init__(
        self,
        records: Records,
        *,
        reactor: IReactorTime,
        disk: StateDisk,
        keys: Callable[[], Collection[str]],
    ) -> None:
        """``keys`` tells whose files are needed."""
        self._records = records
        self._disk = disk
        self._keys = keys
        self._loop = LoopingCall(self._look)
        self._loop.clock = reactor

    def start(self) -> None:
        """Look from now on."""
        self._loop.start(PAUSE, now=False).addErrback(
            lambda failure: self.log.failure("old files are not looked for any more", failure)
        )

    def stop(self) -> None:
        """Look no more."""
        if self._loop.running:
            self._loop.stop()

    def _look(self) -> Deferred[None]:
        folder, scripts = self._records.folder, self._records.scripts
        removing = self._disk.run(remove_old, folder, scripts, self._keys())
        return removing.addCallbacks(self._removed, self._failed)

    def _removed(self, number: int) -> None:
        if number:
            self.log.info("removed old files of no frame number={number}", number=number)

    def _failed(self, failure: object) -> None:
        """The disk tells of its trouble itself; tomorrow is another day."""
