"""Where a frame is in its life, why it is ended, and why it may never run."""

from __future__ import annotations

import signal
from enum import Enum
from typing import NamedTuple

from twisted.python.failure import Failure

from rqd.frame.exits import LOG_TOO_BIG, Exit

#: How long a completion waits for each that hangs: the rest of its log, the state folder; seconds.
END_PATIENCE = 5.0


class Phase(Enum):
    """Where a frame is in its life."""

    ACCEPTED = "accepted"
    RUNNING = "running"
    ENDING = "ending"
    ENDED = "ended"


class CouldNotStart(Exception):
    """The frame never ran; the text explains it to people."""


class NotTaken(Exception):
    """The frame could not be put on disk, so its launch is refused and nobody hears of an end."""


class NotWanted(Exception):
    """The frame was killed, or its launch abandoned, before its process was started."""


class Kill(NamedTuple):
    """Why the agent ends a frame.

    ``status`` and ``signal`` take the place of those that it ends with, unless None; ``patience``
    (seconds) that of a longer time of grace, and then the end is forced.
    """

    reason: str
    status: int | None = None
    signal: int | None = None
    patience: float | None = None


#: The end of a frame that was killed before it could start.
ASKED_TO_END = Exit(1, signal.SIGTERM)
TOO_BIG = Kill("the log grew over its limit (log_max_size)", LOG_TOO_BIG)


def no_longer(_: Failure) -> None:
    """It was waited for long enough; it may still come, or fail."""
