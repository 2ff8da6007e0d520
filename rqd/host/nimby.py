"""NIMBY: the user of a workstation comes first.

::

    OPEN ──activity──▶ ACTIVITY ──idle for the threshold, and there is room──▶ OPEN
    BY_DEFAULT ──activity──▶ ACTIVITY

What is locked is part of the host's standing, and lives longer than this; here is what changes it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from twisted.internet.defer import DeferredLock
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from zope.interface import implementer

from rqd.background import background
from rqd.host.record import NimbyLock
from rqd.host.standing import Standing
from rqd.log import Logger
from rqd.refusals import WrongState
from rqd.system.nimby import Activity, IActivityDetector, IActivityListener, Undetectable

#: Seconds between two looks at memory and load, where these keep an idle host locked.
LOOK_AGAIN = 10.0

REASON = "the user of this workstation is active (NIMBY)"


class NimbyTerms(NamedTuple):
    """Seconds: how long a user has to be idle, and between two attempts to begin."""

    idle_threshold: float
    retry_interval: float


@implementer(IActivityListener)
class Nimby:
    """Locks at the first sign of activity, ends frames, and unlocks when the user has gone.

    ``end_frames`` ends those that don't ignore NIMBY, for a reason; ``has_room`` tells whether
    memory and load allow frames again.
    """

    log = Logger()

    def __init__(
        self,
        detector: IActivityDetector,
        terms: NimbyTerms,
        standing: Standing,
        *,
        reactor: IReactorTime,
        end_frames: Callable[[str], None],
        has_room: Callable[[], bool],
    ) -> None:
        self._detector = detector
        self._terms = terms
        self._standing = standing
        self._reactor = reactor
        self._end_frames = end_frames
        self._has_room = has_room
        self._one_at_a_time = DeferredLock()
        self._watching = False
        self._wanted = object()
        self._timer: IDelayedCall | None = None
        self._known: Activity | None = None
        self._complaint = ""

    @property
    def active(self) -> bool:
        """Whether somebody uses the host now, as far as that is known."""
        return self._known is Activity.ACTIVE

    # -- on and off ----------------------------------------------------------------------------

    def begin(self) -> None:
        """The agent starts: detect, if NIMBY is on, as soon as that can be done."""
        if self._standing.nimby_on:
            self._seek()

    async def turn_on(self) -> None:
        """Detect activity from now on; raises WrongState where that can't be done."""
        try:
            await self._watch()
        except Undetectable as problem:
            raise WrongState(f"NIMBY can't be switched on: {problem}") from problem

    def turn_off(self) -> None:
        """Detect nothing any more, and lift the lock."""
        self.stop()
        self._standing.nimby(on=False, lock=NimbyLock.OPEN)

    def stop(self) -> None:
        """The agent stops, or NIMBY does: what is locked stays locked."""
        self._wanted = object()
        self._watching, self._known = False, None
        self._forget_timer()
        self._detector.stop()

    # -- detection -----------------------------------------------------------------------------

    async def _watch(self) -> None:
        """Let the detector begin, unless it has; raises Undetectable or WrongState (turned off)."""
        wanted = self._wanted
        await self._one_at_a_time.acquire()
        try:
            if self._watching:
                return
            activity = await self._detector.start(self)
            if self._wanted is not wanted:
                self._detector.stop()
                raise WrongState("NIMBY was switched off meanwhile")
            self._watching, self._complaint = True, ""
        finally:
            self._one_at_a_time.release()
        self._forget_timer()
        self.log.info("activity is detected from now on, now: {now}", now=activity.value)
        self._standing.nimby(on=True, lock=self._standing.nimby_lock)
        self.changed(activity)

    def _seek(self) -> None:
        self._timer = None
        background(self._try(), self.log, "start of activity detection")

    async def _try(self) -> None:
        try:
            await self._watch()
        except Undetectable as problem:
            self._try_again(str(problem))
        except WrongState:
            return

    def _try_again(self, reason: str) -> None:
        if not self._standing.nimby_on:
            return
        interval = self._terms.retry_interval
        if reason != self._complaint:
            self._complaint = reason
            self.log.warn(
                "NIMBY is on, but activity can't be detected, trying every {seconds:g} s"
                " reason={reason}",
                seconds=interval,
                reason=reason,
            )
        self._after(interval, self._seek)

    # -- IActivityListener ---------------------------------------------------------------------

    def changed(self, activity: Activity) -> None:
        """As in ``IActivityListener``."""
        if activity is self._known:
            return
        self._known = activity
        self._forget_timer()
        if self.active:
            self._lock()
        elif self._standing.nimby_lock is NimbyLock.ACTIVITY:
            self._after(self._terms.idle_threshold, self._unlock)

    def lost(self, reason: str) -> None:
        """As in ``IActivityListener``: what is locked stays locked."""
        self._watching, self._known = False, None
        self._try_again(reason)

    # -- locking -------------------------------------------------------------------------------

    def _lock(self) -> None:
        if self._standing.nimby_lock is NimbyLock.ACTIVITY:
            return
        self.log.info("locked: the user is active", host_event="nimby-lock")
        self._standing.nimby(on=True, lock=NimbyLock.ACTIVITY)
        self._end_frames(REASON)

    def _unlock(self) -> None:
        self._timer = None
        if not self._has_room():
            self.log.info("the user is idle, memory or load don't allow frames yet")
            self._after(LOOK_AGAIN, self._unlock)
            return
        self.log.info("unlocked: the user is idle", host_event="nimby-unlock")
        self._standing.nimby(on=True, lock=NimbyLock.OPEN)

    # -- the one timer -------------------------------------------------------------------------

    def _after(self, seconds: float, function: Callable[[], None]) -> None:
        self._forget_timer()
        self._timer = self._reactor.callLater(seconds, function)

    def _forget_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
