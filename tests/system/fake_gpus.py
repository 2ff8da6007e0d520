"""GPUs in memory."""

from __future__ import annotations

from zope.interface import implementer

from rqd.system.gpus import Gpu, GpuSample, GpuTrouble, IGpuDriver, NoDriver


class MemoryWorld:
    """What there is, as a test wants it. Sizes in MiB."""

    def __init__(self) -> None:
        self.devices: dict[str, tuple[int, int]] = {}
        self.processes: dict[int, dict[int, int]] = {}

    def device(self, uuid: str, total: int, free: int) -> None:
        self.devices[uuid] = total, free

    def unplug(self, uuid: str) -> None:
        del self.devices[uuid]

    def process(self, index: int, pid: int, used: int) -> None:
        self.processes.setdefault(index, {})[pid] = used


@implementer(IGpuDriver)
class MemoryDriver:
    """A driver that shows a ``MemoryWorld``."""

    def __init__(self, world: MemoryWorld) -> None:
        self.world = world
        self.missing = ""
        """Why there is no driver."""
        self.broken = ""
        """Why it doesn't work."""
        self.broken_devices: dict[int, str] = {}
        self.resets = 0

    def find(self) -> None:
        """As in ``IGpuDriver``."""
        if self.missing:
            raise NoDriver(self.missing)

    def count(self) -> int:
        """As in ``IGpuDriver``."""
        if self.broken:
            raise GpuTrouble(self.broken)
        return len(self.world.devices)

    def read(self, index: int) -> GpuSample:
        """As in ``IGpuDriver``."""
        if index in self.broken_devices:
            raise GpuTrouble(self.broken_devices[index])
        if index >= len(self.world.devices):
            raise GpuTrouble("no such device")
        uuid, (total, free) = list(self.world.devices.items())[index]
        processes = self.world.processes.get(index, {})
        kib = {pid: used << 10 for pid, used in processes.items()}
        return GpuSample(Gpu(uuid, index), total << 10, free << 10, kib)

    def reset(self) -> None:
        """As in ``IGpuDriver``."""
        self.resets += 1
