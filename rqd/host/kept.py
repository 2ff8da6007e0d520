"""The host's standing with its memory: found again at the start, kept at each change."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from rqd.host.keeping import Keeper, load
from rqd.host.record import HostRecord
from rqd.host.standing import Standing
from rqd.logging.interfaces import IWorkers
from rqd.system.identity import boot_id

if TYPE_CHECKING:
    from rqd.config.settings import Settings
    from rqd.system.reservations import Ledger


class KeptStanding(Standing):
    """As configured at first; after ``load``, as the last agent left it."""

    def __init__(
        self,
        settings: Settings,
        ledger: Ledger,
        *,
        reactor: IReactorTime,
        workers: IWorkers,
        tell: Callable[[], object],
    ) -> None:
        """``tell`` is called at each change: a report should follow."""
        self._folder = settings.runner.snapshots_path
        self._lock_by_default = settings.machine.nimby_lock_by_default
        self._keeper = Keeper(self._folder, reactor=reactor, workers=workers)
        self._tell = tell
        super().__init__(
            ledger,
            nimby_configured=settings.machine.nimby_mode,
            boot_id=boot_id(),
            changed=self._keep_and_tell,
        )

    def load(self) -> None:
        """Read the disk, which blocks: for the start of the agent."""
        found = load(self._folder)
        if found is not None:
            self._keeper.found(found)
        self.restore(found, lock_by_default=self._lock_by_default)

    def kept(self) -> Deferred[None]:
        """Fire once every change is on disk or could not be written; after 1 s at most."""
        return self._keeper.kept()

    def _keep_and_tell(self, record: HostRecord) -> None:
        self._keeper.keep(record)
        self._tell()
