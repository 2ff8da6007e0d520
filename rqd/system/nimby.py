"""The seam to whatever notices the user of a workstation.

What a detector is, and what it tells; who acts on that is ``rqd.host.nimby``.
"""

from __future__ import annotations

from enum import Enum

from twisted.internet.defer import Deferred, fail
from zope.interface import Interface, implementer


class Activity(Enum):
    """Whether somebody uses the host."""

    ACTIVE = "active"
    IDLE = "idle"


class Undetectable(Exception):
    """Activity can't be noticed here; the message is a sentence that says why."""


class IActivityListener(Interface):
    """Who wants to know. Called on the reactor."""

    def changed(activity: Activity) -> None:
        """It is so from now on. Repeating it is harmless.

        A detector that sees moments (a key that is pressed) tells ACTIVE, then IDLE.
        """

    def lost(reason: str) -> None:
        """Nothing can be noticed any more, for this reason; the detector has stopped."""


class IActivityDetector(Interface):
    """Notices activity while it runs. All calls on the reactor."""

    def start(listener: IActivityListener) -> Deferred[Activity]:
        """Begin, and fire with what is so now; the listener hears of changes after that.

        Fails with Undetectable, within seconds, and then has not begun. May be called again then,
        and after ``stop``.
        """

    def stop() -> None:
        """End: the listener hears no more. Harmless when nothing was begun."""


@implementer(IActivityDetector)
class NoDetector:
    """Stands where nothing that could notice anybody is configured."""

    def start(self, listener: IActivityListener) -> Deferred[Activity]:
        """As in ``IActivityDetector``."""
        return fail(
            Undetectable(
                "nothing here can tell whether somebody uses this host: "
                "machine.nimby_activity_file is not set"
            )
        )

    def stop(self) -> None:
        """As in ``IActivityDetector``."""
