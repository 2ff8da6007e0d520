"""One gRPC channel to one Cuebot, seen from the reactor.

No thread waits for a call: grpcio has one that hands out all answers, while there are calls. It is
started for each call that finds no other in flight, but after that was sent; and where many are, a
thread for each costs more than the calls (docs/design/interpreter-lock.md).
"""

from __future__ import annotations

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
    ) -> None:
        self.endpoint = endpoint
        #: When the last call succeeded, in the reactor's time; kept by the owner.
        self.heard_at = float("-inf")
        self._reactor = reactor
        self._channel = channel
        self._methods: dict[str, grpc.UnaryUnaryMultiCallable[bytes, bytes]] = {}
        #: Held until they are done: gRPC cancels a call that nobody holds.
        self._calls: set[grpc.Future[bytes]] = set()
        self._retired: Deferred[None] | None = None

    def call(self, method: str, request: bytes, timeout: float) -> Deferred[bytes]:
        """Call ``method`` (its full path), which ends within ``timeout`` seconds.

        The result is the serialised response; failures are CuebotError. Cancelling it means no
        more than not to be told.
        """
        if method not in self._methods:
            self._methods[method] = self._channel.unary_unary(method)
        done: Deferred[bytes] = Deferred()
        call = self._methods[method].future(request, timeout=timeout)
        self._calls.add(call)
        # In grpcio's thread, or in this one if it has failed already.
        call.add_done_callback(lambda _: self._reactor.callFromThread(self._ended, call, done))
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

    def _ended(self, call: grpc.Future[bytes], done: Deferred[bytes]) -> None:
        self._calls.discard(call)
        try:
            outcome: bytes | Failure = call.result()
        except Exception as problem:
            outcome = Failure(self._error(problem))
        done.callback(outcome)  # a Failure takes the way of errors
        self._tell_if_idle()

    def _error(self, problem: Exception) -> CuebotError:
        if isinstance(problem, load_grpc().RpcError):
            return CuebotError(problem.code().name, problem.details() or "", self.endpoint)
        return CuebotError("CANCELLED", str(problem), self.endpoint)  # the channel was closed

    def _tell_if_idle(self) -> None:
        if self._retired is not None and not self._retired.called and not self._calls:
            self._channel.close()
            self._retired.callback(None)


def connect(reactor: IReactorFromThreads, endpoint: str) -> Connection:
    """Return a connection to ``host:port``; names are looked up by gRPC, in its own threads."""
    channel = load_grpc().insecure_channel(endpoint, options=_OPTIONS)
    return Connection(reactor=reactor, endpoint=endpoint, channel=channel)
