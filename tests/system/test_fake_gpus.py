"""The in-memory driver does what the real one does."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.system.fake_gpus import MemoryDriver, MemoryWorld
from tests.system.gpu_contract import GpuDriverContract


class MemoryDriverTests(GpuDriverContract, SynchronousTestCase):
    """``MemoryDriver``; the real one is in ``tests.integration.test_nvml``."""

    def setUp(self) -> None:
        self.world = MemoryWorld()
        self.driver = MemoryDriver(self.world)

    def break_device(self, index: int) -> None:
        self.driver.broken_devices[index] = "GPU is lost"

    def break_driver(self) -> None:
        self.driver.broken = "Driver Not Loaded"

    def mend_driver(self) -> None:
        self.driver.broken = ""
