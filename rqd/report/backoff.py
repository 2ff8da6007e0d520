"""How long to wait before the next attempt (pure but for the dice)."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rqd.config.settings import GrpcSettings

#: From the number of failures so far (1 or more) to seconds of waiting.
Backoff = Callable[[int], float]

#: However small a delay is configured, a failing call must not become a busy loop.
_SHORTEST = 0.001


def backoff(
    settings: GrpcSettings, *, at_most: float, dice: Callable[[], float] = random.random
) -> Backoff:
    """Grow from ``backoff_delay_min`` to ``at_most`` seconds, or to ``backoff_delay_max`` if less.

    Each delay is varied by the jitter percentage up or down, so that the hosts of a farm that
    lost their Cuebot together don't all come back to it together. ``dice`` returns 0 to 1.
    """
    spread = settings.backoff_jitter_percentage / 100

    @cache
    def policy() -> Backoff:
        """Twisted's, imported at the first failure: it takes 20 ms, and starts are not to wait."""
        from twisted.application.internet import backoffPolicy

        return backoffPolicy(
            initialDelay=max(settings.backoff_delay_min, _SHORTEST),
            maxDelay=max(min(settings.backoff_delay_max, at_most), _SHORTEST),
            jitter=lambda: 0.0,
        )

    def delay(failures: int) -> float:
        return policy()(failures - 1) * (1 + spread * (2 * dice() - 1))

    return delay
