"""Locks, NIMBY and hardware state of the host: one owner, told and kept at each change.

Locks by hand are a number of points. An action that waits for idle locks all points as long as it
waits, and leaves that number as it was for the time after. A NIMBY lock locks no points: Cuebot
knows it by a mark of its own, and frames that ignore it still need points. On the reactor only.
"""

from __future__ import annotations

from collections.abc import Callable

from rqd.host.record import HostRecord, NimbyLock
from rqd.system.condition import REBOOT_WHEN_IDLE, UP, HostCondition, IdleAction
from rqd.system.reservations import Ledger


class Standing:
    """What is so, and what people asked for. ``condition`` is what reports tell."""

    def __init__(
        self,
        ledger: Ledger,
        *,
        nimby_configured: bool,
        boot_id: str,
        changed: Callable[[HostRecord], object],
    ) -> None:
        """``changed`` is called after each change, with what is to be kept of it."""
        self._ledger = ledger
        self._changed = changed
        self._record = HostRecord(
            boot_id=boot_id, nimby_on=nimby_configured, nimby_configured=nimby_configured
        )
        self._hardware = UP
        self._stopping = ""
        self._all_withheld = False
        self.condition = self._condition()

    @property
    def nimby_on(self) -> bool:
        return self._record.nimby_on

    @property
    def nimby_lock(self) -> NimbyLock:
        return self._record.nimby_lock

    @property
    def waiting_for(self) -> IdleAction | None:
        return self._record.waiting_for

    # -- the start -----------------------------------------------------------------------------

    def restore(self, kept: HostRecord | None, *, lock_by_default: bool) -> None:
        """Go on where an earlier agent was, if there was one; before anything is reported."""
        own = self._record
        kept = kept or own._replace(boot_id="")
        as_configured = kept.nimby_configured == own.nimby_configured
        on = kept.nimby_on if as_configured else own.nimby_on
        same_boot = kept.boot_id == own.boot_id
        self._record = own._replace(
            locked_points=min(kept.locked_points, self._total),
            all_locked=kept.all_locked,
            nimby_on=on,
            nimby_lock=_first_lock(kept, on=on, same_boot=same_boot, by_default=lock_by_default),
            waiting_for=kept.waiting_for if same_boot else None,
        )
        self._all_withheld = self.waiting_for is not None
        self._settle()

    # -- locks by hand -------------------------------------------------------------------------

    def lock(self, points: int) -> None:
        """Lock so many more, at most all; raises InvalidRequest."""
        self._ledger.lock(points)
        self._lock_by_hand(self._by_hand + points)

    def lock_all(self) -> None:
        self._lock_by_hand(self._total)

    def unlock(self, points: int) -> None:
        """Unlock so many; nothing waits for idle any more. Raises InvalidRequest."""
        self._ledger.unlock(points)
        if self.waiting_for is not None:
            self._cancel()
            self._lock_by_hand(self._total - points)
        else:
            self._lock_by_hand(self._by_hand - points)

    def unlock_all(self) -> None:
        """Lift every lock by hand; nothing waits for idle any more."""
        self._cancel()
        self._lock_by_hand(0)

    # -- NIMBY ---------------------------------------------------------------------------------

    def nimby(self, *, on: bool, lock: NimbyLock) -> None:
        self._record = self._record._replace(nimby_on=on, nimby_lock=lock)
        self._settle()

    # -- actions -------------------------------------------------------------------------------

    def wait_for(self, action: IdleAction) -> None:
        """Withhold all points until no frame runs; the newest action counts."""
        self._record = self._record._replace(waiting_for=action)
        self._all_withheld = True
        self._settle()

    def leave(self, hardware: str, stopping: str) -> None:
        """The action begins: it is not kept any more, or it might be done twice."""
        self._record = self._record._replace(waiting_for=None)
        self._hardware = hardware
        self._stopping = stopping
        self._settle()

    def come_back(self) -> None:
        """Nothing came of it: take frames again, with the locks that were there before."""
        self._hardware, self._stopping = UP, ""
        self._cancel()
        self._settle()

    # -- inside --------------------------------------------------------------------------------

    @property
    def _total(self) -> int:
        return self._ledger.counts().total

    @property
    def _by_hand(self) -> int:
        return self._total if self._record.all_locked else self._record.locked_points

    def _lock_by_hand(self, points: int) -> None:
        points = max(0, min(points, self._total))
        self._record = self._record._replace(locked_points=points, all_locked=points == self._total)
        self._settle()

    def _cancel(self) -> None:
        self._record = self._record._replace(waiting_for=None)
        self._all_withheld = False

    def _settle(self) -> None:
        self._ledger.unlock_all()
        self._ledger.lock(self._total if self._all_withheld else self._by_hand)
        self.condition = self._condition()
        self._changed(self._record)

    def _condition(self) -> HostCondition:
        waits_for_reboot = self._hardware == UP and self.waiting_for is IdleAction.REBOOT
        return HostCondition(
            state=REBOOT_WHEN_IDLE if waits_for_reboot else self._hardware,
            nimby_enabled=self.nimby_on,
            nimby_locked=self.nimby_lock is not NimbyLock.OPEN,
            waiting_for=self.waiting_for,
            stopping=self._stopping,
        )


def _first_lock(kept: HostRecord, *, on: bool, same_boot: bool, by_default: bool) -> NimbyLock:
    """The NIMBY lock that an agent starts with.

    Within a boot it goes on as it was, so that a restart at night doesn't take the host from the
    farm; a configured lock is for the first start after a boot.
    """
    if not on:
        return NimbyLock.OPEN
    if by_default and not (same_boot and kept.nimby_on):
        return NimbyLock.BY_DEFAULT
    if kept.nimby_lock is NimbyLock.BY_DEFAULT and not by_default:
        return NimbyLock.OPEN
    return kept.nimby_lock
