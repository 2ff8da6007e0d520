"""Which Cuebot is called: one at random, the next when it fails, a fresh connection now and then.

All Cuebots of a farm work on one database, so a report may go to any of them, and may go twice.
A connection over which a call failed is left to its other calls and replaced: the replacement
looks the name up again, and finds a Cuebot that is back without waiting for gRPC's own backoff.
"""

from __future__ import annotations

import random
from collections.abc import Callable, MutableSequence, Sequence
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IReactorFromThreads, IReactorTime

from rqd.report.connection import Connection, CuebotError, connect

if TYPE_CHECKING:
    from rqd.config.settings import GrpcSettings

#: Codes that speak of the request itself: another Cuebot would say the same.
_ABOUT_THE_REQUEST = frozenset(
    {
        "INVALID_ARGUMENT",
        "NOT_FOUND",
        "ALREADY_EXISTS",
        "FAILED_PRECONDITION",
        "OUT_OF_RANGE",
        "PERMISSION_DENIED",
        "ABORTED",
    }
)
#: How much longer than its deadline gRPC may take for a call, seconds. gRPC 1.51 sleeps by the wall
#: clock: when that is set back, what is in flight would wait for it to come round again.
_OVERSLEPT = 2.0
#: How long a stop waits for cancelled calls to end, seconds.
_STOP_TIMEOUT = 2.0


class IReactorReports(IReactorTime, IReactorFromThreads):
    """What calls to Cuebot need of the reactor."""


class CuebotClient:
    """Calls to whichever Cuebot answers. The first call connects, ``stop`` ends it all."""

    def __init__(
        self,
        *,
        reactor: IReactorReports,
        settings: GrpcSettings,
        connect: Callable[[IReactorReports, str], Connection] = connect,
        shuffle: Callable[[MutableSequence[str]], None] = random.shuffle,
    ) -> None:
        self._reactor = reactor
        self._expires_after = settings.connection_expires_after
        self._connect = connect
        self._endpoints = list(settings.cuebot_endpoints)
        self._shuffle = shuffle
        shuffle(self._endpoints)
        self._current: Connection | None = None
        self._connected_at = 0.0
        self._open: set[Connection] = set()
        self._stopped = False
        self.answers: bool | None = None
        """Whether the last call was answered, be it with a refusal; None before the first."""

    def turn_to(self, endpoints: Sequence[str]) -> None:
        """Call these Cuebots from now on; what is in flight elsewhere may still be answered."""
        left = self._current
        self._endpoints = list(endpoints)
        self._shuffle(self._endpoints)
        self._current = None
        if left is not None:
            self._retire(left)

    def call(self, method: str, request: bytes, timeout: float) -> Deferred[bytes]:
        """Call ``method`` (its full path) with a serialised request; the response comes likewise.

        ``timeout`` (seconds) bounds the whole, fail-over included. Failures are CuebotError.
        """
        return Deferred.fromCoroutine(self._call(method, request, timeout))

    def stop(self) -> Deferred[None]:
        """Cancel what is in flight and close; fires within a bounded time. No call works after."""
        self._stopped = True
        self._current = None
        ends = [connection.cancel() for connection in tuple(self._open)]
        closed = DeferredList(ends, consumeErrors=True)
        return closed.addTimeout(_STOP_TIMEOUT, self._reactor, _give_up).addCallback(_nothing)

    async def _call(self, method: str, request: bytes, timeout: float) -> bytes:
        started = self._reactor.seconds()
        left = timeout
        for untried in reversed(range(len(self._endpoints))):
            connection = self._connection()
            try:
                response = await self._answer(connection, method, request, left)
            except CuebotError as error:
                left = started + timeout - self._reactor.seconds()
                self.answers = error.code in _ABOUT_THE_REQUEST
                if not self._fails_over(error, connection, started) or not untried or left <= 0:
                    raise
            else:
                connection.heard_at = self._reactor.seconds()
                self.answers = True
                return response
        raise CuebotError("UNAVAILABLE", "no Cuebot is configured", "")

    def _answer(
        self, connection: Connection, method: str, request: bytes, seconds: float
    ) -> Deferred[bytes]:
        """Call, and end it where gRPC itself doesn't."""

        def overslept(*_: object) -> bytes:
            """What else is in flight on this connection is no better off: it ends, too."""
            self._leave(connection)
            connection.cancel()
            raise CuebotError("DEADLINE_EXCEEDED", "gRPC overslept it", connection.endpoint)

        answer = connection.call(method, request, seconds)
        return answer.addTimeout(seconds + _OVERSLEPT, self._reactor, overslept)

    def _connection(self) -> Connection:
        if self._stopped:
            raise CuebotError("CANCELLED", "the agent is stopping", "")
        if self._current is not None and self._expired():
            self._leave(self._current)
        if self._current is None:
            self._current = self._connect(self._reactor, self._endpoints[0])
            self._connected_at = self._reactor.seconds()
            self._open.add(self._current)
        return self._current

    def _expired(self) -> bool:
        return self._reactor.seconds() - self._connected_at >= self._expires_after

    def _fails_over(self, error: CuebotError, connection: Connection, started: float) -> bool:
        """Turn to the next Cuebot if this failure is the connection's or the Cuebot's."""
        if self._stopped or error.code in _ABOUT_THE_REQUEST:
            return False
        if error.code == "DEADLINE_EXCEEDED" and connection.heard_at > started:
            return False  # This call hangs, others are answered: the connection is good.
        self._leave(connection)
        return True

    def _leave(self, connection: Connection) -> None:
        """Let the next call connect to the next endpoint in turn, unless it would already."""
        if connection is not self._current:
            return
        self._current = None
        self._endpoints.append(self._endpoints.pop(0))
        self._retire(connection)

    def _retire(self, connection: Connection) -> None:
        connection.retire().addCallback(lambda _: self._open.discard(connection))


def _give_up(result: object, timeout: float) -> None:
    return None


def _nothing(result: object) -> None:
    return None
