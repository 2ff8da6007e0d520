"""Starting processes in sessions of their own, in the cheapest way that the system has.

Twisted's ``spawnProcess`` uses ``posix_spawn`` too (from 23.8), but cannot ask it for a session, so
that a program ``setsid`` would have to run first; and it looks at each open descriptor and each
signal of the agent on the way. Both cost more than the spawn. Its ``Process`` is kept, with all
that follows a start: reaping, the protocol, the transport. Only the start itself is made here.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Protocol

from twisted.internet.interfaces import IProcessProtocol, IProcessTransport
from twisted.internet.process import Process

#: What Python ignores, and SIGHUP, which ``nohup`` does: children would ignore it, too.
_SET_BACK = (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGHUP)


class SessionProcess(Process):
    """A child that leads its own session, reads nothing, and has the descriptors it is given."""

    def _fork(
        self,
        path: Any,
        uid: Any,
        gid: Any,
        executable: Any,
        args: Any,
        environment: Any,
        **kwargs: Any,
    ) -> None:
        """Start the program; Python runs nothing in between, whatever other threads are at."""
        descriptors = sorted(kwargs["fdmap"].items())
        self.pid = os.posix_spawn(
            executable,
            args,
            environment,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                *((os.POSIX_SPAWN_DUP2, source, target) for target, source in descriptors),
            ],
            setsid=True,
            setsigdef=_SET_BACK,
        )
        self.status = -1


class Spawner(Protocol):
    """The reactor's ``spawnProcess``, as far as frames use it."""

    def spawnProcess(
        self,
        processProtocol: IProcessProtocol,
        executable: str,
        args: Sequence[str],
        env: Mapping[str, str],
        *,
        childFDs: Mapping[int, int],
    ) -> IProcessTransport:
        """Start ``executable``, a path; ``childFDs`` are the child's numbers to the agent's."""


class SessionSpawner:
    """Starts each process in a session of its own; raises OSError where it can't.

    Every descriptor of the agent must be close-on-exec: Python's and gRPC's are, and those that the
    agent was started with are made so here.
    """

    def __init__(self, reactor: object) -> None:
        self._reactor = reactor
        for descriptor in map(int, os.listdir("/proc/self/fd")):
            if descriptor > 2:
                with suppress(OSError):  # one is the listing's own, closed since
                    os.set_inheritable(descriptor, False)

    def spawnProcess(
        self,
        processProtocol: IProcessProtocol,
        executable: str,
        args: Sequence[str],
        env: Mapping[str, str],
        *,
        childFDs: Mapping[int, int],
    ) -> IProcessTransport:
        """See ``Spawner``."""
        return SessionProcess(
            self._reactor, executable, args, env, None, processProtocol, None, None, childFDs
        )
