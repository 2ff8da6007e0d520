"""The agent's gRPC server.

Nothing of gRPC exists before ``start``: twistd forks before it, and neither threads nor
sockets of gRPC survive a fork.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorFromThreads

from rqd.grpc_import import load_grpc
from rqd.log import Logger

if TYPE_CHECKING:
    import grpc

MIB = 1024 * 1024

#: A command of 10 MB is legal. gRPC answers what is larger than this with RESOURCE_EXHAUSTED.
MAX_MESSAGE = 64 * MIB

#: Calls that are served or wait for a thread; gRPC answers more with RESOURCE_EXHAUSTED.
MAX_CALLS = 4096

#: How long a connection may take to say that it speaks HTTP/2, milliseconds.
HANDSHAKE_TIMEOUT = 20_000

#: How long calls may go on after the server has stopped to take new ones, seconds.
GRACE = 2.0

#: How long gRPC may take to close down once its calls are cancelled, seconds.
CLOSING_TIME = 1.0


#: Why a port can't be had that nobody seems to have.
_UNKNOWN_REASON = (
    "another agent runs on this host, or the address isn't this host's, or the port needs a"
    " privilege that the agent lacks"
)


class CannotListen(Exception):
    """The server's port can't be had. The message is for people, and names the port.

    It names who has it, too, where that can be known.
    """

    def __init__(self, address: str, taken_by: str) -> None:
        reason = taken_by and f"the port is taken by {taken_by}"
        super().__init__(f"cannot listen on {address}: {reason or _UNKNOWN_REASON}")
        self.address = address


def listen_address(interface: str, port: int) -> str:
    """gRPC's spelling; no interface means all of them, IPv6 and IPv4."""
    if not interface:
        return f"[::]:{port}"
    return f"[{interface}]:{port}" if ":" in interface else f"{interface}:{port}"


class GrpcServer:
    """Serves what the ``register`` functions add to it, while it runs.

    Stop the bridge before this one: then no call waits for a reactor that doesn't answer any more,
    and stopping takes milliseconds.
    """

    log = Logger()

    def __init__(
        self,
        *,
        reactor: IReactorFromThreads,
        interface: str,
        port: int,
        worker_threads: int,
        register: Sequence[Callable[[grpc.Server], object]],
    ) -> None:
        self._reactor = reactor
        self._interface = interface
        self._worker_threads = worker_threads
        self._register = register
        self._server: grpc.Server | None = None
        #: The one that was asked for; while the server runs, the real one (0 asks for any).
        self.port = port

    def start(self) -> None:
        """Listen and serve; raises CannotListen."""
        grpc = load_grpc()
        from rqd.servant.undecodable import UndecodableRequests

        server = grpc.server(
            ThreadPoolExecutor(self._worker_threads, thread_name_prefix="grpc-call"),
            interceptors=[UndecodableRequests()],
            options=_options(),
            maximum_concurrent_rpcs=MAX_CALLS,
        )
        for register in self._register:
            register(server)
        self.port = _listen(server, listen_address(self._interface, self.port))
        server.start()
        self._server = server
        self.log.info(
            "serving interface={interface} port={port} worker_threads={worker_threads}",
            interface=self._interface or "all",
            port=self.port,
            worker_threads=self._worker_threads,
        )

    def stop(self) -> Deferred[None]:
        """Fires once every call is over, within ``GRACE + CLOSING_TIME`` seconds."""
        server, self._server = self._server, None
        if server is None:
            return succeed(None)
        stopped: Deferred[None] = Deferred()
        waiting = Thread(
            target=self._wait, args=(server.stop(GRACE), stopped), name="grpc-stop", daemon=True
        )
        waiting.start()
        return stopped

    def _wait(self, over: Event, stopped: Deferred[None]) -> None:
        """In a thread, since gRPC has no other way to say that it is over."""
        in_time = over.wait(GRACE + CLOSING_TIME)
        self._reactor.callFromThread(self._closed, in_time, stopped)

    def _closed(self, in_time: bool, stopped: Deferred[None]) -> None:
        if not in_time:
            self.log.warn("gRPC didn't close down in time port={port}", port=self.port)
        stopped.callback(None)


def _options() -> list[tuple[str, Any]]:
    return [
        # A second agent must fail to start, not share the first one's calls.
        ("grpc.so_reuseport", 0),
        ("grpc.max_receive_message_length", MAX_MESSAGE),
        ("grpc.max_send_message_length", MAX_MESSAGE),
        ("grpc.server_handshake_timeout_ms", HANDSHAKE_TIMEOUT),
    ]


def _listen(server: grpc.Server, address: str) -> int:
    """The real port. gRPC 1.51 says 0 where newer ones raise."""
    try:
        port = server.add_insecure_port(address)
    except RuntimeError as problem:
        raise _cannot_listen(address) from problem
    if port == 0:
        raise _cannot_listen(address)
    return port


def _cannot_listen(address: str) -> CannotListen:
    from rqd.servant.listener import listener_on

    return CannotListen(address, listener_on(int(address.rpartition(":")[2])))
