"""NVIDIA's own binding on a stand-in for the driver's library, loaded as the real one is."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from rqd.system import nvml
from rqd.system.gpus import GpuTrouble, NoDriver
from rqd.system.nvml import NvmlDriver
from tests import nvml_standin
from tests.system.gpu_contract import GpuDriverContract

COMPUTE = "nvmlDeviceGetComputeRunningProcesses_v3"
GRAPHICS = "nvmlDeviceGetGraphicsRunningProcesses_v3"
NOT_SUPPORTED, NO_PERMISSION, FUNCTION_NOT_FOUND, GPU_IS_LOST = 3, 4, 13, 15
#: What the driver says where it doesn't know: all bits of the field are set.
NOT_AVAILABLE = (1 << 64) - 1


class NvmlTests(GpuDriverContract, SynchronousTestCase):
    """``NvmlDriver``.

    The stand-in has the real one's name (its "soname"): once it is loaded from a folder, whoever
    asks for that name gets it.
    """

    def setUp(self) -> None:
        nvml_standin.needed()
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        ctypes.CDLL(str(nvml_standin.build(folder)))
        self.world: nvml_standin.World = nvml_standin.World(folder / "gpus")
        self.addCleanup(os.environ.pop, "NVML_STANDIN", None)
        os.environ["NVML_STANDIN"] = str(self.world.path)
        self.driver = NvmlDriver()
        self.addCleanup(self.driver.reset)

    def break_device(self, index: int) -> None:
        self.world.fail("nvmlDeviceGetMemoryInfo", index, GPU_IS_LOST)

    def break_driver(self) -> None:
        self.world.fail("nvmlDeviceGetCount_v2", -1, 1)

    def mend_driver(self) -> None:
        self.world.heal("nvmlDeviceGetCount_v2")

    def read(self, index: int = 0) -> dict[int, int]:
        """KiB by pid."""
        self.driver.count()
        return dict(self.driver.read(index).processes)

    def test_sentences(self) -> None:
        """What goes wrong is told in NVML's own words, or with its number."""
        self.world.device("GPU-a", 2048, 1000)
        self.driver.count()
        for function in (
            "nvmlDeviceGetHandleByIndex_v2",
            "nvmlDeviceGetUUID",
            "nvmlDeviceGetMemoryInfo",
            COMPUTE,
            GRAPHICS,
        ):
            self.world.fail(function, 0, GPU_IS_LOST)
            problem = self.assertRaises(GpuTrouble, self.driver.read, 0)
            self.assertIn("GPU is lost", str(problem))
            self.world.heal(function)
        self.world.fail("nvmlDeviceGetUUID", 0, 777)
        problem = self.assertRaises(GpuTrouble, self.driver.read, 0)
        self.assertIn("an error that the stand-in made up", str(problem))

    def test_no_library(self) -> None:
        """Without a driver's library there is nothing to look for."""
        self.patch(nvml, "LIBRARY", "libno-such-library.so.1")
        problem = self.assertRaises(NoDriver, self.driver.find)
        self.assertIn("libno-such-library.so.1 can't be loaded", str(problem))

    def test_no_binding(self) -> None:
        """A driver that nothing can read says what to install."""
        self.patch(nvml, "BINDING", "no_such_binding")
        problem = self.assertRaises(NoDriver, self.driver.find)
        self.assertIn("nvidia-ml-py", str(problem))

    def test_no_driver_loaded(self) -> None:
        """The library without the kernel's part is trouble, which may pass."""
        os.environ.pop("NVML_STANDIN")
        self.driver.find()
        problem = self.assertRaises(GpuTrouble, self.driver.count)
        self.assertIn("Driver Not Loaded", str(problem))

    def test_computes_and_draws(self) -> None:
        """A process in both lists is there once: both tell all that it uses."""
        self.world.device("GPU-a", 2048, 1000)
        self.world.process(0, 10, 300, "compute")
        self.world.process(0, 10, 300, "graphics")
        self.world.process(0, 11, 7, "graphics")
        self.assertEqual(self.read(), {10: 300 << 10, 11: 7 << 10})

    def test_unknown_use(self) -> None:
        """A process whose memory the driver doesn't know has none."""
        self.world.device("GPU-a", 2048, 1000)
        with open(self.world.path, "a") as world:
            world.write(f"process 0 compute 10 {NOT_AVAILABLE}\n")
        self.assertEqual(self.read(), {10: 0})

    def test_misread(self) -> None:
        """What uses more than the device has was misread, and is left out."""
        self.world.device("GPU-a", 2048, 1000)
        self.world.process(0, 10, 4096)
        self.world.process(0, 11, 2048)
        self.assertEqual(self.read(), {11: 2048 << 10})

    def test_older_driver(self) -> None:
        """A driver that lacks the newest functions is asked by the older ones."""
        self.world.device("GPU-a", 2048, 1000)
        self.world.process(0, 10, 300)
        for function in (COMPUTE, GRAPHICS):
            self.world.fail(function, -1, FUNCTION_NOT_FOUND)
        self.assertEqual(self.read(), {10: 300 << 10})
        self.world.fail("nvmlDeviceGetComputeRunningProcesses_v2", -1, FUNCTION_NOT_FOUND)
        self.assertEqual(self.read(), {})

    def test_no_lists(self) -> None:
        """A device that lists no processes, or not to us, is a device all the same."""
        self.world.device("GPU-a", 2048, 1000)
        self.world.process(0, 10, 300)
        self.world.fail(COMPUTE, 0, NOT_SUPPORTED)
        self.world.fail(GRAPHICS, 0, NO_PERMISSION)
        self.assertEqual(self.read(), {})

    def test_shared_memory(self) -> None:
        """A device without memory of its own is a device all the same."""
        self.world.device("GPU-a", 2048, 1000)
        self.world.process(0, 10, 300)
        self.world.fail("nvmlDeviceGetMemoryInfo", 0, NOT_SUPPORTED)
        self.assertEqual(self.read(), {10: 300 << 10})
        sample = self.driver.read(0)
        self.assertEqual((sample.total, sample.free), (0, 0))
