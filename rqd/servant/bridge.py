"""The one way from gRPC's threads to the reactor, and back.

A call waits in its gRPC thread while its function runs on the reactor. Whatever decides its answer
first (the function, the deadline, the caller that leaves, the agent that stops) decides it alone;
a function whose call is already decided is never started.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import Any, ClassVar, NamedTuple, NoReturn, Protocol, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFromThreads
from twisted.python.failure import Failure

from rqd.log import Logger
from rqd.refusals import Refused
from rqd.servant.errors import status_code, status_name, wire_detail

T = TypeVar("T")


class CallContext(Protocol):
    """What the bridge needs of a ``grpc.ServicerContext``."""

    def is_active(self) -> bool: ...

    def time_remaining(self) -> float | None: ...

    def add_callback(self, callback: Callable[[], None]) -> bool: ...

    def abort(self, code: Any, details: str) -> NoReturn: ...


class Status(NamedTuple):
    """A call's end without a result: the name of a gRPC status, and a sentence."""

    name: str
    detail: str


CALLER_LEFT = Status("CANCELLED", "the caller went away before the agent had an answer")
TOO_LATE = Status("DEADLINE_EXCEEDED", "the agent had no answer in time")
STOPPING = Status("UNAVAILABLE", "the agent is stopping")
FAILED = Status("INTERNAL", "internal error, see the agent's log")


class _Exchange:
    """One call: its gRPC thread waits at the gate until the first answer has opened it.

    ``_undecided`` is a test-and-set: whoever acquires it has the right to answer. Two raw locks
    make the cheapest event that Python has.
    """

    log: ClassVar[Logger] = Logger()

    __slots__ = ("_abandoned", "_args", "_context", "_function", "_gate", "_undecided", "answer")

    #: A Status, or else the function's own result.
    answer: Any

    def __init__(
        self,
        context: CallContext,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        abandoned: Callable[[Any], object] | None,
    ) -> None:
        self._context = context
        self._function = function
        self._args = args
        self._abandoned = abandoned
        self._undecided = Lock()
        self._gate = Lock()
        self._gate.acquire()

    def decide(self, answer: object) -> bool:
        """Give the answer, from any thread; False if there was one already."""
        if not self._undecided.acquire(blocking=False):
            return False
        self.answer = answer
        self._gate.release()
        return True

    def caller_left(self) -> None:
        """gRPC calls this at the end of every call, from a thread of its own."""
        self.decide(CALLER_LEFT)

    def wait(self, seconds: float) -> None:
        """In the gRPC thread: return once there is an answer, which is at most ``seconds`` away."""
        if not self._gate.acquire(timeout=seconds):
            self.decide(TOO_LATE)
            self._gate.acquire()

    def run(self) -> None:
        """On the reactor: run the function, unless nobody waits for its result any more."""
        if self._undecided.locked() or not self._is_wanted():
            return
        try:
            result = self._function(*self._args)
        except Exception:
            self._failed(Failure())
            return
        if isinstance(result, Deferred):
            result.addCallbacks(self._succeeded, self._failed)
        else:
            self._succeeded(result)

    def _is_wanted(self) -> bool:
        """gRPC may know that the call is over before it has told us."""
        remaining = self._context.time_remaining()
        if self._context.is_active() and (remaining is None or remaining > 0):
            return True
        self.decide(CALLER_LEFT)
        return False

    def _succeeded(self, result: object) -> None:
        if self._is_wanted() and self.decide(result):
            return
        if self._abandoned is not None:
            try:
                self._abandoned(result)
            except Exception:
                self._unexpected(Failure())

    def _failed(self, failure: Failure) -> None:
        if isinstance(failure.value, Refused):
            self.decide(Status(status_name(failure.value), wire_detail(failure.value)))
        else:
            self._unexpected(failure)

    def _unexpected(self, failure: Failure) -> None:
        self.log.failure("a call failed function={function}", failure, function=self._function)
        self.decide(FAILED)


class ReactorBridge:
    """Carries calls to the reactor for as long as the agent serves.

    ``deadline`` (seconds) bounds how long a gRPC thread waits, whatever the caller allows. Its
    methods may be used from any thread; functions always run on the reactor's.
    """

    def __init__(self, *, reactor: IReactorFromThreads, deadline: float) -> None:
        self._reactor = reactor
        self._deadline = deadline
        self._lock = Lock()
        self._stopped = False
        self._waiting: set[_Exchange] = set()

    def call(
        self,
        context: CallContext,
        function: Callable[..., Deferred[T] | T],
        *args: Any,
        abandoned: Callable[[T], object] | None = None,
    ) -> T:
        """In a gRPC thread: what ``function(*args)`` returned on the reactor, or its Deferred gave.

        Whatever else happens ends the call by ``context.abort``, which raises. If the function
        succeeds but its caller has left or was told otherwise by then, ``abandoned(result)`` runs
        on the reactor, to undo what nobody knows of.
        """
        exchange = _Exchange(context, function, args, abandoned)
        if not self._admit(exchange):
            self._end(context, STOPPING)
        try:
            if context.add_callback(exchange.caller_left):
                self._reactor.callFromThread(exchange.run)
            else:
                exchange.caller_left()
            remaining = context.time_remaining()
            exchange.wait(self._deadline if remaining is None else min(self._deadline, remaining))
        finally:
            with self._lock:
                self._waiting.discard(exchange)
        if isinstance(exchange.answer, Status):
            self._end(context, exchange.answer)
        result: T = exchange.answer
        return result

    def stop(self) -> None:
        """Answer every waiting call, and each one that comes later, with UNAVAILABLE at once."""
        with self._lock:
            self._stopped = True
            waiting = list(self._waiting)
        for exchange in waiting:
            exchange.decide(STOPPING)

    def _admit(self, exchange: _Exchange) -> bool:
        with self._lock:
            if not self._stopped:
                self._waiting.add(exchange)
            return not self._stopped

    def _end(self, context: CallContext, status: Status) -> NoReturn:
        context.abort(status_code(status.name), status.detail)
