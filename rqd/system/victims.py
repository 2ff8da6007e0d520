"""Who has to go when the host runs out of memory (pure; all sizes in KiB)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

RELIEF = 5.0
"""How far below the margin used memory is brought, in percent of the host's memory."""
_HALF_LIFE = 3600.0
"""Seconds after which a frame's work counts as half of what could ever be lost with it."""


class Tenant(NamedTuple):
    """A frame as a user of the host's memory."""

    key: str
    pss: int
    """What its end gives back: its own memory, and its part of what it shares with others."""
    swap: int
    limit: int
    """What it was booked with: its soft limit; 0 for none, and then it is never a victim."""
    age: float
    """Seconds."""

    @property
    def excess(self) -> int:
        """Memory, swapped out or not, beyond the limit; 0 within it, or without one."""
        return max(0, self.pss + self.swap - self.limit) if self.limit > 0 else 0

    @property
    def guilt(self) -> float:
        """Impact by excess by youth: what its end gives back, times how far it broke its word,
        times what speaks for ending the young: 1 for a fresh frame, down to a half.
        """
        if not self.limit:
            return 0.0
        youth = 0.5 + 0.5 * _HALF_LIFE / (_HALF_LIFE + max(0.0, self.age))
        return self.pss * (self.excess / self.limit) * youth


class Pressure(NamedTuple):
    """The host's memory against the margin (percent of ``total``)."""

    total: int
    used: int
    margin: float

    @property
    def percent(self) -> float:
        return 100.0 * self.used / self.total if self.total else 0.0

    @property
    def short(self) -> bool:
        """Whether the margin is passed."""
        return self.percent > self.margin

    @property
    def to_free(self) -> int:
        """What has to be given back until there is relief; 0 as long as the margin is kept."""
        if not self.short:
            return 0
        return self.used - int(self.total * max(0.0, self.margin - RELIEF) / 100)


def choose(tenants: Iterable[Tenant], to_free: int) -> list[Tenant]:
    """The worst of those over their limits, until their memory makes up ``to_free``.

    All of them where that is not enough; none where nobody is over, however short memory is.
    """
    over = sorted((t for t in tenants if t.excess), key=lambda t: t.guilt, reverse=True)
    victims: list[Tenant] = []
    for tenant in over:
        if to_free <= 0:
            break
        victims.append(tenant)
        to_free -= tenant.pss
    return victims
