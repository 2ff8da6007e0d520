"""What every ``IGpuDriver`` does: the tests of the in-memory one and of the real one."""

from __future__ import annotations

from typing import Any, Protocol

from zope.interface.verify import verifyObject

from rqd.system.gpus import Gpu, GpuSample, GpuTrouble, IGpuDriver


class Devices(Protocol):
    """The world of a driver under test; sizes in MiB."""

    def device(self, uuid: str, total: int, free: int) -> None: ...

    def unplug(self, uuid: str) -> None: ...

    def process(self, index: int, pid: int, used: int) -> None: ...


class GpuDriverContract:
    """A mixin. ``driver`` and ``world`` are set up with no device."""

    driver: Any
    world: Devices

    # Given by the test case that this is mixed with.
    assertEqual: Any
    assertRaises: Any
    assertTrue: Any

    def break_device(self, index: int) -> None:
        """Make reads of this device fail."""
        raise NotImplementedError

    def break_driver(self) -> None:
        """Make the driver fail as a whole."""
        raise NotImplementedError

    def mend_driver(self) -> None:
        """As it was."""
        raise NotImplementedError

    def test_interface(self) -> None:
        """It is one."""
        verifyObject(IGpuDriver, self.driver)

    def test_found(self) -> None:
        """There is a driver, whether it has devices or not."""
        self.driver.find()
        self.assertEqual(self.driver.count(), 0)

    def test_devices(self) -> None:
        """Devices have an index, a UUID, and memory in KiB."""
        self.world.device("GPU-a", 2048, 2000)
        self.world.device("GPU-b", 1024, 0)
        self.assertEqual(self.driver.count(), 2)
        self.assertEqual(
            [self.driver.read(index) for index in (0, 1)],
            [
                GpuSample(Gpu("GPU-a", 0), 2048 << 10, 2000 << 10),
                GpuSample(Gpu("GPU-b", 1), 1024 << 10, 0),
            ],
        )

    def test_processes(self) -> None:
        """Each device knows its own processes, KiB by pid."""
        self.world.device("GPU-a", 2048, 1000)
        self.world.device("GPU-b", 2048, 1000)
        self.world.process(0, 10, 5)
        self.world.process(1, 10, 7)
        self.world.process(1, 11, 1)
        self.driver.count()
        self.assertEqual(dict(self.driver.read(0).processes), {10: 5 << 10})
        self.assertEqual(dict(self.driver.read(1).processes), {10: 7 << 10, 11: 1 << 10})

    def test_no_such_device(self) -> None:
        """One that isn't there any more is trouble, with a sentence."""
        self.driver.count()
        problem = self.assertRaises(GpuTrouble, self.driver.read, 3)
        self.assertTrue(str(problem))

    def test_unplugged(self) -> None:
        """The others move up."""
        self.world.device("GPU-a", 2048, 1000)
        self.world.device("GPU-b", 2048, 1000)
        self.driver.count()
        self.world.unplug("GPU-a")
        self.assertEqual(self.driver.count(), 1)
        self.assertEqual(self.driver.read(0).gpu, Gpu("GPU-b", 0))

    def test_broken_device(self) -> None:
        """A device that fails doesn't take the others with it."""
        self.world.device("GPU-a", 2048, 1000)
        self.world.device("GPU-b", 2048, 1000)
        self.driver.count()
        self.break_device(0)
        self.assertRaises(GpuTrouble, self.driver.read, 0)
        self.assertEqual(self.driver.read(1).gpu.uuid, "GPU-b")

    def test_driver_reloaded(self) -> None:
        """A driver that fails is trouble; let go, it is opened anew."""
        self.world.device("GPU-a", 2048, 1000)
        self.driver.count()
        self.break_driver()
        self.assertRaises(GpuTrouble, self.driver.count)
        self.mend_driver()
        self.driver.reset()
        self.assertEqual(self.driver.count(), 1)

    def test_reset_unopened(self) -> None:
        """What was never opened can be let go, too."""
        self.driver.reset()
