"""One gRPC channel to one Cuebot, seen from the reactor.

Each call blocks a thread of a pool. grpcio's futures would need none, but start a thread of their
own for every call that finds no other in flight, which costs more than the call.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFromThreads
from twisted.python.failure import Failure

from rqd.grpc_import import load_grpc

if TYPE_CHECKING:
    import grpc

#: A connection is made anew after a failure (see ``cuebot``), so gRPC's own backoff matters only
#: within one call. The minimum is also how long one attempt to connect may take.
_OPTIONS = (
    ("grpc.initial_reconnect_backoff_ms", 250),
    ("grpc.min_reconnect_backoff_ms", 2000),
    ("grpc.max_reconnect_backoff_ms", 2000),
    # Channels to one address would share sockets otherwise, and a new one would reach a dead one.
    ("grpc.use_local_subchannel_pool", 1),
)


class CuebotError(Exception):
    """A call failed. ``code`` is the name of a gRPC status, ``endpoint`` who was called."""

    def __init__(self, code: str, detail: str, endpoint: str) -> None:
        super().__init__(f"{code} from {endpoint or 'no Cuebot'}: {detail}")
        self.code = code
        self.detail = detail
        self.endpoint = endpoint


class Connection:
    """Calls through one channel, and its end: see ``retire`` and ``cancel``."""

    def __init__(
        self,
        *,
        reactor: IReactorFromThreads,
        endpoint: str,
        channel: grpc.Channel,
        threads: Executor,
    ) -> None:
        self.endpoint = endpoint
        #: When the last call succeeded, in the reactor's time; kept by the owner.
        self.heard_at = float("-inf")
        self._reactor = reactor
        self._channel = channel
        self._threads = threads
        self._methods: dict[str, Callable[..., bytes]] = {}
        self._calls = 0
        self._retired: Deferred[None] | None = None

    def call(self, method: str, request: bytes, timeout: float) -> Deferred[bytes]:
        """Call ``method`` (its full path), which ends within ``timeout`` seconds.

        The result is the serialised response; failures are CuebotError. Cancelling it means no
        more than not to be told.
        """
        if method not in self._methods:
            self._methods[method] = self._channel.unary_unary(method)
        done: Deferred[bytes] = Deferred()
        self._calls += 1
        self._threads.submit(self._wait, self._methods[method], request, timeout, done)
        return done

    def retire(self) -> Deferred[None]:
        """Let the calls in flight end, then close. The result fires once that has happened."""
        if self._retired is None:
            self._retired = Deferred()
            self._tell_if_idle()
        return self._retired

    def cancel(self) -> Deferred[None]:
        """Close now, which ends the calls in flight."""
        self._channel.close()
        return self.retire()

    def _wait(
        self, call: Callable[..., bytes], request: bytes, timeout: float, done: Deferred[bytes]
    ) -> None:
        """In a thread: whatever comes of it, the reactor is told."""
        try:
            outcome: bytes | Failure = call(request, timeout=timeout)
        except Exception as problem:
            outcome = Failure(self._error(problem))
        self._reactor.callFromThread(self._finish, outcome, done)

    def _error(self, problem: Exception) -> CuebotError:
        if isinstance(problem, load_grpc().RpcError):
            return CuebotError(problem.code().name, problem.details() or "", self.endpoint)
        return CuebotError("CANCELLED", str(problem), self.endpoint)  # the channel was closed

    def _finish(self, outcome: bytes | Failure, done: Deferred[bytes]) -> None:
        self._calls -= 1
        done.callback(outcome)  # a Failure takes the way of errors
        self._tell_if_idle()

    def _tell_if_idle(self) -> None:
        if self._retired is not None and not self._retired.called and not self._calls:
            self._channel.close()
            self._retired.callback(None)


def connect(reactor: IReactorFromThreads, threads: Executor, endpoint: str) -> Connection:
    """Return a connection to ``host:port``; names are looked up by gRPC, in its own threads."""
    channel = load_grpc().insecure_channel(endpoint, options=_OPTIONS)
    return Connection(reactor=reactor, endpoint=endpoint, channel=channel, threads=threads)
