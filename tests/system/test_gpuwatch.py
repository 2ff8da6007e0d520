"""GPUs that come, go, fail and hang, and what the host makes of them."""

from __future__ import annotations

from collections.abc import Sequence

from twisted.internet.task import Clock
from twisted.logger import LogLevel, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from rqd.system.gpus import NO_GPUS, Gpu, GpuTotals
from rqd.system.gpuwatch import COUNTER, FINDER, PATIENCE, GpuWatch
from tests.frame.fakes import Workers
from tests.system.fake_gpus import MemoryDriver, MemoryWorld

INTERVAL = 5.0


class GpuWatchTests(SynchronousTestCase):
    """``GpuWatch`` on a host of two GPUs."""

    def setUp(self) -> None:
        self.world = MemoryWorld()
        self.world.device("GPU-a", 2, 1)
        self.world.device("GPU-b", 4, 4)
        self.driver = MemoryDriver(self.world)
        self.clock = Clock()
        self.workers = Workers()
        self.offered: list[str] | None = None
        self.said: list[tuple[LogLevel, str, str]] = []
        globalLogPublisher.addObserver(self.hear)
        self.addCleanup(globalLogPublisher.removeObserver, self.hear)
        self.watch = GpuWatch(
            self.driver,
            reactor=self.clock,
            run_for=self.workers.run_for,
            interval=INTERVAL,
            offer=self.offer,
        )

    def offer(self, gpus: Sequence[Gpu]) -> None:
        self.offered = [gpu.uuid for gpu in gpus]

    def hear(self, event: dict) -> None:
        if "gpu" in event:
            self.said.append((event["log_level"], event["gpu"], str(event.get("why", ""))))

    def heard(self) -> list[tuple[LogLevel, str, str]]:
        """What was logged of GPUs since this was asked last."""
        said, self.said = self.said, []
        return said

    def start(self) -> None:
        self.successResultOf(self.watch.start())

    def look(self) -> None:
        """The next look is due."""
        self.clock.advance(INTERVAL)

    def test_first_look(self) -> None:
        """Once it has started, all is known: what to give out, and the memory in KiB."""
        self.world.process(0, 10, 1)
        self.start()
        self.assertEqual(self.offered, ["GPU-a", "GPU-b"])
        self.assertEqual(self.watch.totals, GpuTotals(2, 6 << 10, 5 << 10))
        self.assertEqual(dict(self.watch.by_pid), {10: 1 << 10})
        self.assertEqual(self.heard(), [])

    def test_no_driver(self) -> None:
        """Without a driver nothing is looked for, now or later."""
        self.driver.missing = "no driver here"
        self.start()
        self.assertEqual(self.watch.totals, NO_GPUS)
        self.assertIsNone(self.offered)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_no_devices(self) -> None:
        """A driver without devices is looked at all the same: one may be plugged in."""
        for uuid in ("GPU-a", "GPU-b"):
            self.world.unplug(uuid)
        self.start()
        self.assertEqual((self.offered, self.watch.totals), ([], NO_GPUS))
        self.world.device("GPU-c", 2, 2)
        self.look()
        self.assertEqual(self.offered, ["GPU-c"])

    def test_interval(self) -> None:
        """What changes is seen at the next look."""
        self.start()
        self.world.device("GPU-a", 2, 0)
        self.look()
        self.assertEqual(self.watch.totals.free, 4 << 10)

    def test_process_on_both(self) -> None:
        """A process on two devices uses the memory of both."""
        self.world.process(0, 10, 1)
        self.world.process(1, 10, 3)
        self.start()
        self.assertEqual(self.watch.by_pid[10], 4 << 10)

    def test_broken_device(self) -> None:
        """One that fails is logged once and not given out, until it works again."""
        self.start()
        self.driver.broken_devices[0] = "GPU is lost"
        for _ in range(3):
            self.look()
        self.assertEqual(self.offered, ["GPU-b"])
        self.assertEqual(self.watch.totals, GpuTotals(1, 4 << 10, 4 << 10))
        self.assertEqual(self.heard(), [(LogLevel.error, "GPU-a", "GPU is lost")])
        self.driver.broken_devices.clear()
        self.look()
        self.assertEqual(self.offered, ["GPU-a", "GPU-b"])
        self.assertEqual(self.heard(), [(LogLevel.info, "GPU-a", "")])

    def test_never_worked(self) -> None:
        """One that never said its UUID is known by its index."""
        self.driver.broken_devices[1] = "GPU requires restart"
        self.start()
        self.assertEqual(self.heard(), [(LogLevel.error, "at index 1", "GPU requires restart")])
        self.driver.broken_devices.clear()
        self.look()
        self.assertEqual(self.heard(), [(LogLevel.info, "at index 1", "")])

    def test_vanished(self) -> None:
        """One that is gone is logged once; that others move up is no trouble."""
        self.start()
        self.world.unplug("GPU-a")
        for _ in range(3):
            self.look()
        self.assertEqual(self.offered, ["GPU-b"])
        self.assertEqual(self.heard(), [(LogLevel.error, "GPU-a", "it has vanished")])

    def test_odd_error(self) -> None:
        """Whatever else goes wrong with a device, the others are looked at."""
        self.start()
        self.workers.broken["gpu 0"] = ValueError("odd")
        self.look()
        self.assertEqual(self.offered, ["GPU-b"])
        self.assertEqual(self.heard(), [(LogLevel.error, "GPU-a", "ValueError: odd")])

    def test_hung_device(self) -> None:
        """One that hangs costs one call, and the others only a bounded wait once."""
        self.world.process(0, 10, 1)
        self.start()
        self.workers.hold("gpu 0")
        self.look()
        self.assertEqual(self.offered, ["GPU-a", "GPU-b"])
        self.clock.advance(PATIENCE)
        self.assertEqual(self.offered, ["GPU-b"])
        self.assertEqual(dict(self.watch.by_pid), {})
        self.world.device("GPU-b", 4, 1)
        self.look()
        self.assertEqual(self.watch.totals.free, 1 << 10)
        self.assertEqual(
            self.heard(), [(LogLevel.error, "GPU-a", "it does not answer within 10 s")]
        )
        self.workers.release("gpu 0")
        self.assertEqual(self.offered, ["GPU-b"])
        self.look()
        self.assertEqual(self.offered, ["GPU-a", "GPU-b"])
        self.assertEqual(self.heard(), [(LogLevel.info, "GPU-a", "")])

    def test_hung_driver(self) -> None:
        """A driver that hangs takes all devices with it, until it is back."""
        self.start()
        self.workers.hold(COUNTER)
        self.look()
        self.clock.advance(PATIENCE)
        self.assertEqual((self.offered, self.watch.totals), ([], NO_GPUS))
        self.assertEqual([gpu for _, gpu, _ in self.heard()], ["GPU-a", "GPU-b"])
        for _ in range(3):
            self.look()
        self.assertEqual((self.heard(), self.driver.resets), ([], 0))
        self.workers.release(COUNTER)
        self.look()
        self.assertEqual(self.offered, ["GPU-a", "GPU-b"])

    def test_hung_at_the_start(self) -> None:
        """The first look ends in a bounded time; what comes later is seen then."""
        self.workers.hold(COUNTER)
        started = self.watch.start()
        self.assertNoResult(started)
        self.clock.advance(PATIENCE)
        self.successResultOf(started)
        self.assertEqual([gpu for _, gpu, _ in self.heard()], ["(all)"])
        self.workers.release(COUNTER)
        self.look()
        self.assertEqual(self.offered, ["GPU-a", "GPU-b"])

    def test_library_hangs(self) -> None:
        """A driver's library that can't be loaded in time is none."""
        self.workers.hold(FINDER)
        started = self.watch.start()
        self.clock.advance(PATIENCE)
        self.successResultOf(started)
        self.workers.release(FINDER)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_reloaded(self) -> None:
        """A driver that fails is let go, so that a new one can be opened."""
        self.start()
        self.driver.broken = "Driver Not Loaded"
        self.look()
        self.assertEqual((self.offered, self.driver.resets), ([], 1))
        self.driver.broken = ""
        self.look()
        self.assertEqual(self.offered, ["GPU-a", "GPU-b"])

    def test_stop(self) -> None:
        """Nothing goes on after a stop, also one in the middle of the first look."""
        self.start()
        self.watch.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_stop_early(self) -> None:
        """A look that is under way at the stop is the last."""
        self.workers.hold("gpu 1")
        started = self.watch.start()
        self.watch.stop()
        self.workers.release("gpu 1")
        self.successResultOf(started)
        self.assertEqual(self.clock.getDelayedCalls(), [])
