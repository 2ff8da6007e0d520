"""How the calls of a connection are begun."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from queue import SimpleQueue
from threading import Event, current_thread
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from rqd.report.caller import Caller

PATIENCE = 30.0


class FakeFuture:
    """Is done when the test says so."""

    def __init__(self, answer: Callable[[], bytes]) -> None:
        self.result = answer
        self.done: Callable[[Any], object] = lambda _: None

    def add_done_callback(self, callback: Callable[[Any], object]) -> None:
        self.done = callback

    def end(self) -> None:
        self.done(self)


class FakeMethod:
    """A method that echoes what it is sent; each call that is waited for hangs at its gate."""

    def __init__(self) -> None:
        self.begun: SimpleQueue[bytes] = SimpleQueue()
        """What was sent, in order."""
        self.futures: SimpleQueue[FakeFuture] = SimpleQueue()
        self.gate = Event()
        self.thread = ""

    def __call__(self, request: bytes, timeout: float) -> bytes:
        self.thread = current_thread().name
        self.begun.put(request)
        self.gate.wait(timeout)
        return self._answer(request)

    def future(self, request: bytes, timeout: float) -> FakeFuture:
        self.begun.put(request)
        future = FakeFuture(partial(self._answer, request))
        self.futures.put(future)
        return future

    @staticmethod
    def _answer(request: bytes) -> bytes:
        if request.startswith(b"bad"):
            raise ValueError("refused")
        return b"re: " + request


class CallerTests(SynchronousTestCase):
    """L{Caller}, with the test in the reactor's place."""

    def setUp(self) -> None:
        self.handed: SimpleQueue[tuple[Callable[..., object], Any]] = SimpleQueue()
        self.ended: list[bytes | Exception] = []
        self.method = FakeMethod()
        self.caller = Caller(lambda function, *args: self.handed.put((function, args)))
        self.addCleanup(self.caller.end)
        self.addCleanup(self.method.gate.set)

    def begin(self, request: bytes) -> None:
        method: Any = self.method
        self.caller.begin(method, request, PATIENCE, self.ended.append)

    def begun(self) -> bytes:
        """What was begun next."""
        return self.method.begun.get(timeout=PATIENCE)

    def hear(self) -> bytes | Exception:
        """The next answer."""
        function, args = self.handed.get(timeout=PATIENCE)
        function(*args)
        return self.ended.pop()

    def test_alone(self) -> None:
        """A call without others is waited for in a thread that is there for all of them."""
        self.method.gate.set()
        for request in (b"a", b"b"):
            self.begin(request)
            self.assertEqual(self.hear(), b"re: " + request)
            self.assertEqual(self.method.thread, "cuebot")
        self.assertTrue(self.method.futures.empty())

    def test_beside(self) -> None:
        """One that hangs holds up no others, and they don't need the thread."""
        self.begin(b"hangs")
        self.assertEqual(self.begun(), b"hangs")
        for request in (b"a", b"b"):
            self.begin(request)
            self.assertEqual(self.begun(), request)
            self.method.futures.get(timeout=PATIENCE).end()
            self.assertEqual(self.hear(), b"re: " + request)
        self.method.gate.set()
        self.assertEqual(self.hear(), b"re: hangs")

    def test_alone_again(self) -> None:
        """Once the thread has its answer it takes the next call."""
        self.method.gate.set()
        self.begin(b"first")
        self.hear()
        self.method.gate.clear()
        self.begin(b"second")
        self.assertEqual(self.begun(), b"first")
        self.assertEqual(self.begun(), b"second")
        self.assertTrue(self.method.futures.empty())

    def test_many(self) -> None:
        """Each of many at once is answered once, whichever way it goes."""
        self.method.gate.set()
        requests = {b"%d" % number for number in range(300)}
        for request in requests:
            self.begin(request)
        self.assertEqual({self.begun() for _ in requests}, requests)
        self.caller.end()
        thread = self.caller._thread
        assert thread is not None
        thread.join(PATIENCE)
        while not self.method.futures.empty():
            self.method.futures.get().end()
        self.assertEqual({self.hear() for _ in requests}, {b"re: " + each for each in requests})
        self.assertTrue(self.handed.empty())

    def test_failures(self) -> None:
        """A failure is told as one, of either kind of call."""
        self.begin(b"bad hangs")
        self.assertEqual(self.begun(), b"bad hangs")
        self.begin(b"bad")
        self.method.futures.get(timeout=PATIENCE).end()
        self.assertIsInstance(self.hear(), ValueError)
        self.method.gate.set()
        self.assertIsInstance(self.hear(), ValueError)

    def test_end(self) -> None:
        """The thread ends after what was asked for."""
        self.begin(b"last")
        self.begun()
        thread = self.caller._thread
        assert thread is not None
        self.caller.end()
        self.method.gate.set()
        self.assertEqual(self.hear(), b"re: last")
        thread.join(PATIENCE)
        self.assertFalse(thread.is_alive())
