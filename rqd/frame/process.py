"""The running thing: a frame's supervisor as the reactor's child.

``processExited`` is the end of the frame. There are no pipes to wait for: the frame writes to its
spool or log, the chain to its chain file, so neither can block or break when the agent dies, and a
running frame holds none of the agent's descriptors.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

from rqd.frame.chain import OUTPUT, Chain
from rqd.frame.spawning import Spawner


class FrameProcess(ProcessProtocol):
    """A started frame; ``exited`` fires once with the wait status of its supervisor.

    ``pid`` is the supervisor's, which is the frame's session id; it is kept here because the
    transport forgets its own when the process is reaped, and the session may outlive it.
    """

    pid: int

    def __init__(self) -> None:
        self.running = True
        self.exited: Deferred[int] = Deferred()

    def connectionMade(self) -> None:
        assert self.transport is not None
        self.pid = self.transport.pid

    def processExited(self, reason: Failure) -> None:
        self.running = False
        self.exited.callback(reason.value.status)  # type: ignore[union-attr]


def spawn(chain: Chain, output: int, account: int, *, reactor: Spawner) -> FrameProcess:
    """Start a chain; raises OSError where its first program can't be run.

    ``output`` and ``account`` (the chain file) are descriptors; the caller closes them.
    """
    process = FrameProcess()
    reactor.spawnProcess(
        process,
        chain.arguments[0],
        chain.arguments,
        chain.environment,
        childFDs={1: account, 2: account, OUTPUT: output},
    )
    return process
