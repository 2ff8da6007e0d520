"""Calls of one channel, begun one after the other, without a thread for each.

A call that has no other beside it is made by the caller's own thread, which waits for the answer.
Those that come meanwhile are futures of grpcio's, which has one thread for all their answers: where
there are many, that costs least. But it is started anew for each call that finds no other, and that
is a tenth of what a lone frame costs the agent (docs/design/interpreter-lock.md).
"""

from __future__ import annotations

from collections.abc import Callable
from queue import SimpleQueue
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import grpc


class _Call(NamedTuple):
    """What was asked for."""

    method: grpc.UnaryUnaryMultiCallable[bytes, bytes]
    request: bytes
    timeout: float
    ended: Callable[[Any], object]


class Caller:
    """Begins calls in the order in which they are asked for. Used on the reactor.

    But for one that comes at the moment at which the thread begins another: it may overtake that.
    """

    def __init__(self, hand_over: Callable[..., object]) -> None:
        """``hand_over`` has the reactor call a function with its arguments, from any thread."""
        self._hand_over = hand_over
        self._asked: SimpleQueue[_Call | None] = SimpleQueue()
        self._lock = Lock()
        self._waits = False
        """Whether the thread waits for an answer; then nothing is queued for it."""
        self._thread: Thread | None = None
        #: Held until they are done: gRPC cancels a call that nobody holds.
        self._futures: set[grpc.Future[bytes]] = set()

    def begin(
        self,
        method: grpc.UnaryUnaryMultiCallable[bytes, bytes],
        request: bytes,
        timeout: float,
        ended: Callable[[bytes | Exception], object],
    ) -> None:
        """Call ``method``; ``ended`` is called on the reactor, within ``timeout`` seconds."""
        if self._thread is None:
            self._thread = Thread(target=self._run, name="cuebot", daemon=True)
            self._thread.start()
        call = _Call(method, request, timeout, ended)
        with self._lock:
            if not self._waits:
                self._asked.put(call)
                return
        self._make_future(call)

    def end(self) -> None:
        """There will be no more calls."""
        self._asked.put(None)

    def _run(self) -> None:
        """In the thread."""
        while (call := self._asked.get()) is not None:
            with self._lock:
                self._waits = self._asked.empty()
            if self._waits:
                self._wait_for(call)
            else:
                self._make_future(call)
            del call  # hold nothing while idle

    def _wait_for(self, call: _Call) -> None:
        outcome = _outcome(lambda: call.method(call.request, timeout=call.timeout))
        self._waits = False
        self._hand_over(call.ended, outcome)

    def _make_future(self, call: _Call) -> None:
        """In either thread."""
        try:
            future = call.method.future(call.request, timeout=call.timeout)
        except Exception as problem:  # the channel was closed
            self._hand_over(call.ended, problem)
            return
        self._futures.add(future)
        future.add_done_callback(lambda future: self._done(future, call))

    def _done(self, future: grpc.Future[bytes], call: _Call) -> None:
        """In grpcio's thread, or in the one that made it if it has failed already."""
        self._futures.discard(future)
        self._hand_over(call.ended, _outcome(future.result))


def _outcome(answer: Callable[[], bytes]) -> bytes | Exception:
    try:
        return answer()
    except Exception as problem:
        return problem
