"""What there is to know of GPUs, and the seam to whoever knows it (a vendor's driver)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from zope.interface import Interface


@dataclass(frozen=True, slots=True)
class Gpu:
    """One device, as frames are told of it.

    ``uuid`` is its own wherever it is plugged in; ``index`` its place among those that the
    driver finds, in the order of the PCI bus, which may be another at the next boot.
    """

    uuid: str
    index: int


def by_index(gpu: Gpu) -> str:
    """Name a GPU as ``nvidia-smi`` numbers it."""
    return str(gpu.index)


def by_uuid(gpu: Gpu) -> str:
    """Name a GPU so that no order matters."""
    return gpu.uuid


@dataclass(frozen=True, slots=True)
class GpuSample:
    """One device at one moment. Memory in KiB."""

    gpu: Gpu
    total: int
    free: int
    processes: Mapping[int, int] = field(default_factory=dict)
    """Memory of each process that has something on the device, by pid."""


@dataclass(frozen=True, slots=True)
class GpuTotals:
    """All GPUs that work, together. Memory in KiB."""

    count: int
    total: int
    free: int


NO_GPUS = GpuTotals(0, 0, 0)


class NoDriver(Exception):
    """There are no GPUs to look for as long as this agent runs; the text says why."""


class GpuTrouble(Exception):
    """The driver, or a device, can't be read now; the text says why."""


class IGpuDriver(Interface):
    """A vendor's driver. Every call blocks, and may do so for ever: call it in workers only.

    One call a device at a time, but devices beside each other.
    """

    def find() -> None:
        """Look whether there is a driver, and touch no device; raises NoDriver."""

    def count() -> int:
        """Return how many devices there are; raises GpuTrouble."""

    def read(index: int) -> GpuSample:
        """Return what the device of this index says; raises GpuTrouble."""

    def reset() -> None:
        """Let go of the driver, which may have been reloaded; ``count`` then begins anew."""
