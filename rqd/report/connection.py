"""One gRPC channel to one Cuebot, seen from the reactor."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFromThreads

from rqd.grpc_import import load_grpc
from rqd.report.caller import Caller

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
        self._channel = channel
        self._methods: dict[str, grpc.UnaryUnaryMultiCallable[bytes, bytes]] = {}
        self._caller = Caller(reactor.callFromThread)
        self._unanswered = 0
        self._retired: Deferred[None] | None = None

    def call(self, method: str, request: bytes, timeout: float) -> Deferred[bytes]:
        """Call ``method`` (its full path), which ends within ``timeout`` seconds.

        The result is the serialised response; failures are CuebotError. Cancelling it means no
        more than not to be told.
        """
        if method not in self._methods:
            self._methods[method] = self._channel.unary_unary(method)
        done: Deferred[bytes] = Deferred()
        self._unanswered += 1
        self._caller.begin(self._methods[method], request, timeout, partial(self._ended, done))
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

    def _ended(self, done: Deferred[bytes], outcome: bytes | Exception) -> None:
        self._unanswered -= 1
        if isinstance(outcome, Exception):
            done.errback(self._error(outcome))
        else:
            done.callback(outcome)
        self._tell_if_idle()

    def _error(self, problem: Exception) -> CuebotError:
        if isinstance(problem, load_grpc().RpcError):
            return CuebotError(problem.code().name, problem.details() or "", self.endpoint)
        return CuebotError("CANCELLED", str(problem), self.endpoint)  # the channel was closed

    def _tell_if_idle(self) -> None:
        if self._retired is not None and not self._retired.called and not self._unanswered:
            self._caller.end()
            self._channel.close()
            self._retired.callback(None)


def connect(reactor: IReactorFromThreads, endpoint: str) -> Connection:
    """Return a connection to ``host:port``; names are looked up by gRPC, in its own threads."""
    channel = load_grpc().insecure_channel(endpoint, options=_OPTIONS)
    return Connection(reactor=reactor, endpoint=endpoint, channel=channel)
