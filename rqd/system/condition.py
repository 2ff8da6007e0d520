"""What the host is good for at the moment, as the reports tell it and launches are judged by it."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

#: Names of ``host.HardwareState`` values.
UP, DOWN, REBOOTING, REBOOT_WHEN_IDLE = "UP", "DOWN", "REBOOTING", "REBOOT_WHEN_IDLE"


class IdleAction(Enum):
    """What can be left for the moment when no frame runs any more."""

    REBOOT = "reboot"
    SHUTDOWN = "shutdown"
    RESTART = "restart"


class HostCondition(NamedTuple):
    """``state`` is the name of a ``host.HardwareState`` value.

    ``waiting_for`` is what happens once no frame runs. ``stopping`` says why the agent is about to
    end, ``withheld`` what is withheld for processes that can't be killed; empty while it isn't so.
    """

    state: str = UP
    nimby_enabled: bool = False
    nimby_locked: bool = False
    waiting_for: IdleAction | None = None
    stopping: str = ""
    withheld: str = ""
