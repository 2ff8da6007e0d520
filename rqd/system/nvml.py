"""NVIDIA's GPUs, by NVIDIA's own binding (``nvidia-ml-py``) to the driver's library, NVML.

The binding is optional and large: it is imported only where there is a driver to bind.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

from zope.interface import implementer

from rqd.system.gpus import Gpu, GpuSample, GpuTrouble, IGpuDriver, NoDriver

LIBRARY = "libnvidia-ml.so.1"
BINDING = "pynvml"

#: What has to do with the GPU by computing and by drawing; who does both is in both lists.
_LISTS = ("nvmlDeviceGetComputeRunningProcesses", "nvmlDeviceGetGraphicsRunningProcesses")


@implementer(IGpuDriver)
class NvmlDriver:
    """The driver is opened once and kept open: opening it can take a second for each device."""

    def __init__(self) -> None:
        self._opened: Any = None

    def find(self) -> None:
        """As in ``IGpuDriver``."""
        try:
            ctypes.CDLL(LIBRARY)
        except OSError:
            raise NoDriver(f"no NVIDIA driver here ({LIBRARY} can't be loaded)") from None
        if find_spec(BINDING) is None:
            raise NoDriver(
                "an NVIDIA driver is here, but not the Python package that reads it: nvidia-ml-py"
            )

    def count(self) -> int:
        """As in ``IGpuDriver``."""
        if self._opened is None:
            import pynvml

            with _as_trouble(pynvml):
                pynvml.nvmlInit()
            self._opened = pynvml
        with _as_trouble(self._opened):
            number: int = self._opened.nvmlDeviceGetCount()
        return number

    def read(self, index: int) -> GpuSample:
        """As in ``IGpuDriver``."""
        nvml = self._opened
        with _as_trouble(nvml):
            device = nvml.nvmlDeviceGetHandleByIndex(index)
            gpu = Gpu(nvml.nvmlDeviceGetUUID(device), index)
            total, free = _memory(nvml, device)
            return GpuSample(gpu, total // 1024, free // 1024, _processes(nvml, device, total))

    def reset(self) -> None:
        """As in ``IGpuDriver``."""
        nvml, self._opened = self._opened, None
        if nvml is not None:
            with _as_trouble(nvml):
                nvml.nvmlShutdown()


@contextmanager
def _as_trouble(nvml: Any) -> Iterator[None]:
    try:
        yield
    except nvml.NVMLError as problem:
        raise GpuTrouble(str(problem)) from problem


def _memory(nvml: Any, device: Any) -> tuple[int, int]:
    """Total and free, in bytes; none where the GPU shares that of the host."""
    try:
        memory = nvml.nvmlDeviceGetMemoryInfo(device)
    except nvml.NVMLError_NotSupported:
        return 0, 0
    return memory.total, memory.free


def _processes(nvml: Any, device: Any, total: int) -> dict[int, int]:
    """KiB by pid.

    What doesn't fit into the device is left out: some drivers fill the list in another way
    than some bindings read it, and then the pid is wrong, too.
    """
    found: dict[int, int] = {}
    for name in _LISTS:
        for process in _listed(nvml, name, device):
            used = (process.usedGpuMemory or 0) // 1024
            if not total or used <= total // 1024:
                found[process.pid] = max(used, found.get(process.pid, 0))
    return found


def _listed(nvml: Any, name: str, device: Any) -> list[Any]:
    """One list of processes, asked of older drivers (before 510) in the older way.

    Empty where this device, or this user, gets none: the device works all the same. (The
    binding's own choice of a version ends in an error that is none of NVML's.)
    """
    for function in (f"{name}_v3", f"{name}_v2"):
        try:
            found: list[Any] = getattr(nvml, function)(device)
            return found
        except nvml.NVMLError_FunctionNotFound:
            continue
        except (nvml.NVMLError_NotSupported, nvml.NVMLError_NoPermission):
            break
    return []
