"""The reactor's clock: the time that passes, whatever the date is set to.

Twisted's reactors plan by the wall clock (``reactor.seconds`` is ``time.time``, in every version so
far): every timer would fire at once when the date is set forward a day, and none for a day when it
is set back. ``docs/design/clocks.md`` says who uses which clock.
"""

from __future__ import annotations

import time
from typing import Protocol


class _Timed(Protocol):
    """A reactor whose clock is a function that may be replaced, as all of Twisted's are."""

    def seconds(self) -> float: ...


def keep_monotonic_time(reactor: _Timed) -> None:
    """Let ``reactor`` plan by the monotonic clock, which stands still while the host is suspended.

    To be called before anything is planned: calls that wait already would wait for decades.
    """
    reactor.seconds = time.monotonic  # type: ignore[method-assign]
