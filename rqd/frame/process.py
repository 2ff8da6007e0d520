"""The running thing: a frame's supervisor as the reactor's child.

``processExited`` is the end of the frame. There is no output to wait for: the frame writes to its
spool or log, the chain to its chain file, so neither can block or break when the agent dies.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

from rqd.frame.spawning import Spawner


class FrameProcess(ProcessProtocol):
    """A supervisor that waits for its orders, then runs a frame.

    ``exited`` fires once with its wait status. ``pid`` is the frame's session id; it is kept here
    because the session may outlive the process.
    """

    pid: int

    def __init__(self) -> None:
        self.running = True
        self.exited: Deferred[int] = Deferred()

    def order(self, orders: bytes) -> None:
        """Hand over what is to be done (see ``rqd.frame.chain``)."""
        self._supervisor.write(orders)
        self._supervisor.closeStdin()

    def dismiss(self) -> None:
        """There will be no orders: it ends."""
        self._supervisor.closeStdin()

    def connectionMade(self) -> None:
        self.pid = self._supervisor.pid

    def processExited(self, reason: Failure) -> None:
        self.running = False
        self.exited.callback(reason.value.status)  # type: ignore[union-attr]

    @property
    def _supervisor(self) -> Any:
        return self.transport


def spawn(arguments: list[str], account: int, *, spawner: Spawner) -> FrameProcess:
    """Start a supervisor; raises OSError. ``account`` is its chain file; the caller closes it."""
    process = FrameProcess()
    spawner.spawn(process, arguments, account, {})
    return process
