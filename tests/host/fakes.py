"""What the host room lives among, in memory, moved by the test."""

from __future__ import annotations

from twisted.internet.defer import Deferred, fail, succeed
from zope.interface import implementer

from rqd.host.record import HostRecord
from rqd.host.standing import Standing
from rqd.system.nimby import Activity, IActivityDetector, IActivityListener, Undetectable
from rqd.system.reservations import Ledger
from rqd.system.topology import Core, Topology

TOTAL = 400


def ledger() -> Ledger:
    """Four cores."""
    return Ledger(Topology(tuple(Core(0, number, (number,)) for number in range(4))), total=TOTAL)


class Stood:
    """A standing, and everything that it told of its changes."""

    def __init__(self, *, nimby_configured: bool = False, boot_id: str = "this") -> None:
        self.ledger = ledger()
        self.told: list[HostRecord] = []
        self.standing = Standing(
            self.ledger,
            nimby_configured=nimby_configured,
            boot_id=boot_id,
            changed=self.told.append,
        )

    @property
    def locked(self) -> int:
        return self.ledger.counts().locked


@implementer(IActivityDetector)
class MemoryDetector:
    """Notices what the test says; ``trouble`` keeps it from starting, ``hold`` lets it hang."""

    def __init__(self, now: Activity = Activity.IDLE) -> None:
        self.now = now
        self.trouble = ""
        self.starts = 0
        self.hold = False
        self._listener: IActivityListener | None = None
        self._held: list[Deferred[Activity]] = []

    def start(self, listener: IActivityListener) -> Deferred[Activity]:
        """As in ``IActivityDetector``."""
        self.starts += 1
        if self.trouble:
            return fail(Undetectable(self.trouble))
        self._listener = listener
        if self.hold:
            self._held.append(Deferred())
            return self._held[-1]
        return succeed(self.now)

    def stop(self) -> None:
        """As in ``IActivityDetector``."""
        self._listener = None

    @property
    def running(self) -> bool:
        return self._listener is not None

    def say(self, activity: Activity) -> None:
        """It is so from now on."""
        self.now = activity
        if self._listener is not None:
            self._listener.changed(activity)

    def lose(self, reason: str) -> None:
        listener, self._listener = self._listener, None
        assert listener is not None
        listener.lost(reason)

    def release(self) -> None:
        """Those that were held have started."""
        held, self._held = self._held, []
        for waiting in held:
            waiting.callback(self.now)
