"""One report from an agent, as the rest of the program passes it round."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

STARTUP = "startup"
STATUS = "status"
COMPLETION = "completion"


@dataclass(frozen=True, slots=True)
class Report:
    """What came, when (seconds since the epoch), and from which peer (gRPC's spelling).

    ``message`` is a BootReport, HostReport or FrameCompleteReport, by ``kind``. A ``refused``
    completion was answered with an error, so the agent sends it again.
    """

    kind: str
    received: float
    peer: str
    message: Any
    refused: bool = False


# Called in a gRPC thread, once a report, before the agent has its answer.
Listener = Callable[[Report], None]
