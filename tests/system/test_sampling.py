"""The tick."""

from __future__ import annotations

from collections.abc import Mapping

from twisted.internet.defer import Deferred, execute
from twisted.internet.task import Clock
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from rqd.system.sampling import Sampling
from rqd.system.usage import EMPTY_USAGE, FrameUsage


class SamplingTests(SynchronousTestCase):
    """L{Sampling}, every 5 s."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.delivered: list[Mapping[str, FrameUsage]] = []
        self.problem: Exception | None = None
        self.waiting: Deferred[Mapping[str, FrameUsage]] | None = None

    def start(self, deliver: object = None) -> Sampling:
        sampling = Sampling(
            reactor=self.clock,
            interval=5.0,
            measure=self.measure,
            deliver=deliver or self.delivered.append,
        )
        sampling.start()
        self.clock.advance(2.4)
        self.assertEqual(self.delivered, [])
        return sampling

    def measure(self) -> Deferred[Mapping[str, FrameUsage]]:
        return self.waiting or execute(self.found)

    def found(self) -> Mapping[str, FrameUsage]:
        if self.problem is not None:
            raise self.problem
        return {"a": EMPTY_USAGE}

    def test_interval(self) -> None:
        """A sample at each interval, none at once, none after the stop."""
        sampling = self.start()
        self.assertEqual(len(self.delivered), 0)
        self.clock.pump([5.0] * 3)
        self.assertEqual(self.delivered, [{"a": EMPTY_USAGE}] * 3)
        sampling.stop()
        self.clock.pump([5.0] * 3)
        self.assertEqual(len(self.delivered), 3)

    def test_stopped_at_once(self) -> None:
        """None where it stops before the first."""
        self.start().stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_pace(self) -> None:
        """Another interval counts from the next tick on, and from the start if there was none."""
        sampling = self.start()
        sampling.pace(2.0)
        self.clock.pump([5.0, 2.0, 2.0])
        self.assertEqual(len(self.delivered), 3)

    def test_failed(self) -> None:
        """A pass that fails is logged, and the next one comes."""
        self.start()
        self.problem = RuntimeError("x")
        self.clock.advance(5.0)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.problem = None
        self.clock.advance(5.0)
        self.assertEqual(len(self.delivered), 1)

    def test_failed_delivery(self) -> None:
        """So it is where what was found can't be dealt with."""
        turns: list[object] = []

        def deliver(found: object) -> None:
            turns.append(found)
            raise OSError("x")

        self.start(deliver)
        self.clock.pump([5.0] * 2)
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 2)
        self.assertEqual(len(turns), 2)

    def test_slow(self) -> None:
        """A pass that takes long makes others fall out; none queues up behind it."""
        self.start()
        waiting = self.waiting = Deferred()
        self.clock.pump([5.0] * 4)
        self.waiting = None
        waiting.callback({})
        self.assertEqual(self.delivered, [{}])
        self.clock.advance(5.0)
        self.assertEqual(len(self.delivered), 2)

    def test_hangs(self) -> None:
        """A pass that hangs is spoken of once; one that ends in time never is."""
        said: list[str] = []

        def hear(event: dict[str, object]) -> None:
            said.append(str(event.get("log_format")))

        globalLogPublisher.addObserver(hear)
        self.addCleanup(globalLogPublisher.removeObserver, hear)
        sampling = self.start()
        self.clock.pump([5.0] * 20)
        self.assertEqual(said, [])
        self.waiting = Deferred()
        self.clock.pump([5.0] * 20)
        self.assertEqual(len(said), 1)
        sampling.stop()
        self.waiting.callback({})
        self.assertEqual(self.clock.getDelayedCalls(), [])
