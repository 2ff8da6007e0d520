"""What the host is good for at the moment, as the reports tell it."""

from __future__ import annotations

from typing import NamedTuple


class HostCondition(NamedTuple):
    """``state`` is the name of a ``host.HardwareState`` value."""

    state: str = "UP"
    nimby_enabled: bool = False
    nimby_locked: bool = False
