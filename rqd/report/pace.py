"""How many completions may be on their way, and when the next may start."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from rqd.report.backoff import Backoff

#: How many reports are on their way at once while Cuebot answers.
WINDOW = 16
#: How long a probe may take before the next report is tried beside it, seconds.
PATIENCE = 1.0


class Pace:
    """Full speed while Cuebot answers; in a spell of failures, one probe at a time.

    A spell begins with a failure and ends with the next success. ``go`` is called when the next
    report may start; ``free`` tells whether one may start now, ``on_their_way`` how many are.
    """

    def __init__(self, *, reactor: IReactorTime, backoff: Backoff, go: Callable[[], None]) -> None:
        self._reactor = reactor
        self._backoff = backoff
        self._go = go
        self.on_their_way = 0
        self._probes = 0
        self._pause: IDelayedCall | None = None

    @property
    def free(self) -> bool:
        return self._pause is None and self.on_their_way < WINDOW

    @property
    def in_spell(self) -> bool:
        return self._probes > 0

    def started(self) -> None:
        """A report is on its way."""
        self.on_their_way += 1
        if self.in_spell:
            self._probes += 1
            self._pause_for(max(PATIENCE, self._backoff(self._probes)))

    def failed(self) -> None:
        """A report came back."""
        self.on_their_way -= 1
        self._probes = max(self._probes, 1)
        self._pause_for(self._backoff(self._probes))

    def answered(self) -> None:
        """A report was taken, which ends a spell."""
        self.on_their_way -= 1
        self._probes = 0
        self.stop()

    def hurry(self) -> None:
        """Forget how long the spell has lasted: try now, and from there as if it were new."""
        self._probes = min(self._probes, 1)
        self.stop()
        self._go()

    def stop(self) -> None:
        """Call ``go`` no more for what has happened so far."""
        if self._pause is not None:
            self._pause.cancel()
            self._pause = None

    def _pause_for(self, delay: float) -> None:
        """Pause, but no longer than was decided before."""
        if self._pause is None:
            self._pause = self._reactor.callLater(delay, self._resume)
        elif self._pause.getTime() > self._reactor.seconds() + delay:
            self._pause.reset(delay)

    def _resume(self) -> None:
        self._pause = None
        self._go()
