"""Calls cross from gRPC's threads to the reactor, and every one of them gets an answer."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import grpc
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from rqd.refusals import UnknownFrame
from rqd.servant.bridge import ReactorBridge
from tests.servant.fakes import PATIENCE, Aborted, EagerReactor, FakeContext, ManualReactor


class Recorder:
    """A function that remembers what it was called with."""

    def __init__(self) -> None:
        self.calls: list[Any] = []

    def __call__(self, *args: Any) -> int:
        self.calls.append(args)
        return len(self.calls)


def fail(problem: Exception) -> None:
    raise problem


class AnswerTests(SynchronousTestCase):
    """What a call gets, on a reactor that is never late."""

    def setUp(self) -> None:
        self.bridge = ReactorBridge(reactor=EagerReactor(), deadline=PATIENCE)
        self.context = FakeContext()

    def assertEnds(self, code: grpc.StatusCode, function: Callable[..., Any], *args: Any) -> str:
        problem = self.assertRaises(Aborted, self.bridge.call, self.context, function, *args)
        self.assertEqual(problem.code, code)
        return problem.details

    def test_value(self) -> None:
        """What the function returns is what the call returns."""
        self.assertEqual(self.bridge.call(self.context, divmod, 7, 2), (3, 1))

    def test_refusal(self) -> None:
        """A refusal ends the call with its status and its sentence."""
        detail = self.assertEnds(grpc.StatusCode.NOT_FOUND, fail, UnknownFrame("no frame x runs"))
        self.assertEqual(detail, "no frame x runs")

    def test_unexpected(self) -> None:
        """A bug is logged with its traceback; the caller learns nothing of its inside."""
        detail = self.assertEnds(grpc.StatusCode.INTERNAL, fail, ZeroDivisionError("secret"))
        self.assertEqual(detail, "internal error, see the agent's log")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_call_that_is_over(self) -> None:
        """A call that ended before it reached the bridge runs nothing."""
        self.context.terminate()
        function = Recorder()
        self.assertEnds(grpc.StatusCode.CANCELLED, function)
        self.assertEqual(function.calls, [])

    def test_cancelled_unannounced(self) -> None:
        """The function isn't started if gRPC knows of the cancellation and hasn't said so yet."""
        self.context.active = False
        function = Recorder()
        self.assertEnds(grpc.StatusCode.CANCELLED, function)
        self.assertEqual(function.calls, [])

    def test_past_deadline(self) -> None:
        """The function isn't started after the caller's deadline."""
        self.context.remaining = 0.0
        function = Recorder()
        self.assertEnds(grpc.StatusCode.CANCELLED, function)
        self.assertEqual(function.calls, [])

    def test_no_deadline(self) -> None:
        """A caller that set no deadline is answered like any other."""
        self.context.remaining = None
        self.assertEqual(self.bridge.call(self.context, max, 1, 2), 2)

    def test_after_stop(self) -> None:
        """A call that comes after the stop is refused, and runs nothing."""
        self.bridge.stop()
        function = Recorder()
        self.assertEnds(grpc.StatusCode.UNAVAILABLE, function)
        self.assertEqual(function.calls, [])

    def test_caller_left_meanwhile(self) -> None:
        """If the caller leaves while the function runs, what it did is abandoned."""
        abandoned: list[str] = []

        def launch() -> str:
            self.context.terminate()
            return "frame"

        call = self.bridge.call
        problem = self.assertRaises(Aborted, call, self.context, launch, abandoned=abandoned.append)
        self.assertEqual(problem.code, grpc.StatusCode.CANCELLED)
        self.assertEqual(abandoned, ["frame"])

    def test_failure_is_not_abandoned(self) -> None:
        """What didn't succeed needs no undoing, also when its caller has left."""
        abandoned: list[object] = []

        def launch() -> None:
            self.context.terminate()
            raise UnknownFrame("gone")

        self.assertRaises(
            Aborted, self.bridge.call, self.context, launch, abandoned=abandoned.append
        )
        self.assertEqual(abandoned, [])

    def test_abandoning_fails(self) -> None:
        """A bug while undoing is logged; the call has ended all the same."""

        def launch() -> Exception:
            self.context.terminate()
            return ZeroDivisionError()

        self.assertRaises(Aborted, self.bridge.call, self.context, launch, abandoned=fail)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_end_of_call_after_answer(self) -> None:
        """gRPC announces the end of answered calls too; that abandons nothing."""
        abandoned: list[object] = []
        self.bridge.call(self.context, Recorder(), abandoned=abandoned.append)
        self.context.terminate()
        self.assertEqual(abandoned, [])


class CrossingTests(SynchronousTestCase):
    """Calls wait in threads of their own for a reactor that is turned by hand."""

    def setUp(self) -> None:
        self.reactor = ManualReactor()
        self.bridge = ReactorBridge(reactor=self.reactor, deadline=PATIENCE)
        self.threads = ThreadPoolExecutor(8)
        self.addCleanup(self.threads.shutdown)
        # First of the clean-ups: whatever a failed test leaves behind must not wait in a thread.
        self.addCleanup(self.bridge.stop)

    def begin(self, context: FakeContext, function: Callable[..., Any], **options: Any) -> Future:
        return self.threads.submit(self.bridge.call, context, function, **options)

    def assertEnded(self, call: Future, code: grpc.StatusCode) -> None:
        problem = call.exception(PATIENCE)
        self.assertIsInstance(problem, Aborted)
        self.assertEqual(problem.code, code)

    def begin_unfinished(self, context: FakeContext, **options: Any) -> tuple[Future, Deferred]:
        """A call whose function has started, and gave a Deferred."""
        unfinished: Deferred[str] = Deferred()
        call = self.begin(context, lambda: unfinished, **options)
        self.reactor.turn()
        return call, unfinished

    def test_deferred(self) -> None:
        """The result of a Deferred is the result of the call."""
        call, unfinished = self.begin_unfinished(FakeContext())
        self.assertFalse(call.done())
        unfinished.callback("answer")
        self.assertEqual(call.result(PATIENCE), "answer")

    def test_deferred_refusal(self) -> None:
        """A Deferred may refuse as well."""
        call, unfinished = self.begin_unfinished(FakeContext())
        unfinished.errback(UnknownFrame("no frame x runs"))
        self.assertEnded(call, grpc.StatusCode.NOT_FOUND)

    def test_cancelled_before_start(self) -> None:
        """A call that is cancelled on its way frees its thread at once, and never starts."""
        context, function = FakeContext(), Recorder()
        begun = self.begin(context, function)
        # The reactor has the call once the bridge waits for it.
        start = self.reactor.take()
        context.terminate()
        self.assertEnded(begun, grpc.StatusCode.CANCELLED)
        start()
        self.assertEqual(function.calls, [])

    def test_cancelled_after_start(self) -> None:
        """A call that is cancelled meanwhile frees its thread; what succeeds later is abandoned."""
        context, abandoned = FakeContext(), []
        call, unfinished = self.begin_unfinished(context, abandoned=abandoned.append)
        context.terminate()
        self.assertEnded(call, grpc.StatusCode.CANCELLED)
        unfinished.callback("frame")
        self.assertEqual(abandoned, ["frame"])

    def test_deadline_before_start(self) -> None:
        """A reactor that is too late for the agent's own deadline starts nothing any more."""
        bridge = ReactorBridge(reactor=self.reactor, deadline=0.0)
        function = Recorder()
        problem = self.assertRaises(Aborted, bridge.call, FakeContext(), function)
        self.assertEqual(problem.code, grpc.StatusCode.DEADLINE_EXCEEDED)
        self.reactor.turn()
        self.assertEqual(function.calls, [])

    def test_callers_deadline(self) -> None:
        """The caller's own deadline counts where it is the shorter one."""
        problem = self.assertRaises(Aborted, self.bridge.call, FakeContext(0.001), Recorder())
        self.assertEqual(problem.code, grpc.StatusCode.DEADLINE_EXCEEDED)

    def test_stop(self) -> None:
        """Stopping answers every call that waits, started or not, and no thread stays behind."""
        function, abandoned = Recorder(), []
        started, unfinished = self.begin_unfinished(FakeContext(), abandoned=abandoned.append)
        waiting = self.begin(FakeContext(), function)
        start = self.reactor.take()
        self.bridge.stop()
        self.assertEnded(started, grpc.StatusCode.UNAVAILABLE)
        self.assertEnded(waiting, grpc.StatusCode.UNAVAILABLE)
        start()
        self.assertEqual(function.calls, [])
        unfinished.callback("frame")
        self.assertEqual(abandoned, ["frame"])

    def test_forgets(self) -> None:
        """The bridge keeps nothing of a call that has its answer."""
        bridge, context = ReactorBridge(reactor=EagerReactor(), deadline=PATIENCE), FakeContext()
        bridge.call(context, Recorder())
        context.terminate()
        seen = weakref.ref(context)
        del context
        gc.collect()
        self.assertIsNone(seen())

    def test_thousand_at_once(self) -> None:
        """A thousand calls over a few threads: each gets its own answer, in whatever order."""
        calls = [self.begin(FakeContext(), lambda number=number: number) for number in range(1000)]
        for _ in calls:
            self.reactor.turn()
        self.assertEqual([each.result(PATIENCE) for each in calls], list(range(1000)))
        self.assertTrue(self.reactor.is_idle())
