"""One gRPC channel to one Cuebot, seen from the reactor.

grpcio calls back in threads of its own; nothing but ``callFromThread`` happens there. A call
whose future nobody holds is cancelled when it is collected, so a connection holds each of its
futures until it is done.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFromThreads

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


class Future(Protocol):
    """A call as grpc sees it; its own types know less of it than there is."""

    def add_done_callback(self, callback: Callable[[Future], None]) -> None: ...

    def cancel(self) -> bool: ...

    def code(self) -> Any: ...

    def details(self) -> str | None: ...

    def result(self) -> bytes: ...


class Connection:
    """Calls through one channel, and its end: see ``retire`` and ``cancel``."""

    def __init__(
        self, *, reactor: IReactorFromThreads, endpoint: str, channel: grpc.Channel
    ) -> None:
        self.endpoint = endpoint
        #: When the last call succeeded, in the reactor's time; kept by the owner.
        self.heard_at = float("-inf")
        self._reactor = reactor
        self._channel = channel
        self._methods: dict[str, Callable[..., Any]] = {}
        self._calls: set[Future] = set()
        self._retired: Deferred[None] | None = None

    def call(self, method: str, request: bytes, timeout: float) -> Deferred[bytes]:
        """Call ``method`` (its full path), which ends within ``timeout`` seconds.

        The result is the serialised response; failures are CuebotError.
        """
        future = self._method(method)(request, timeout=timeout)
        done: Deferred[bytes] = Deferred(lambda _: _cancel(future))
        self._calls.add(future)

        def finished(future: Future) -> None:
            self._reactor.callFromThread(self._finish, future, done)

        future.add_done_callback(finished)
        return done

    def retire(self) -> Deferred[None]:
        """Let the calls in flight end, then close. The result fires once that has happened."""
        if self._retired is None:
            self._retired = Deferred()
            self._close_when_idle()
        return self._retired

    def cancel(self) -> Deferred[None]:
        """End the calls in flight now, then close."""
        for future in tuple(self._calls):
            future.cancel()
        return self.retire()

    def _method(self, method: str) -> Callable[..., Any]:
        if method not in self._methods:
            self._methods[method] = self._channel.unary_unary(method).future
        return self._methods[method]

    def _finish(self, future: Future, done: Deferred[bytes]) -> None:
        self._calls.discard(future)
        if not done.called:  # else it was cancelled
            self._tell(future, done)
        self._close_when_idle()

    def _tell(self, future: Future, done: Deferred[bytes]) -> None:
        code = future.code()
        if code.name == "OK":
            done.callback(future.result())
        else:
            done.errback(CuebotError(code.name, future.details() or "", self.endpoint))

    def _close_when_idle(self) -> None:
        """Close only a channel without calls: closing waits for those, and would block."""
        if self._retired is not None and not self._retired.called and not self._calls:
            self._channel.close()
            self._retired.callback(None)


def _cancel(future: Future) -> None:
    future.cancel()


def connect(reactor: IReactorFromThreads, endpoint: str) -> Connection:
    """Return a connection to ``host:port``; names are looked up by gRPC, in its own threads."""
    grpc = load_grpc()
    return Connection(
        reactor=reactor,
        endpoint=endpoint,
        channel=grpc.insecure_channel(endpoint, options=_OPTIONS),
    )


def load_grpc() -> Any:
    """Import grpc, late: it is slow, and nothing of it may be there before twistd has forked.

    Its fork support must be off before that: handlers around each fork of the agent would wait
    for grpc's threads. What it says on stderr is said by ``outage`` already.
    """
    os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
    import grpc

    return grpc
