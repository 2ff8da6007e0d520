"""The host's memory and swap, in KiB, from ``meminfo``."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import NamedTuple


class MemorySample(NamedTuple):
    """All in KiB. ``free`` is what frames could have: free and reclaimable memory."""

    total: int
    free: int
    total_swap: int
    free_swap: int


def read_memory(proc_root: str, *, override_total: int | None = None) -> MemorySample:
    """Sample ``<proc_root>/meminfo``; ``override_total`` is in bytes.

    An override changes the size, not what is used: free is what the overridden size leaves.
    So a workstation can keep some memory back, and a developer's machine can pose as a big
    one, and in both used + free = total.
    """
    with open(os.path.join(proc_root, "meminfo"), "rb") as meminfo:
        sample = _sample(parse_meminfo(meminfo.read()))
    if override_total is None:
        return sample
    total = override_total // 1024
    free = max(0, total - (sample.total - sample.free))
    return MemorySample(total, free, sample.total_swap, sample.free_swap)


def parse_meminfo(text: bytes) -> dict[bytes, int]:
    """The numbers of a ``meminfo`` file by name; sizes are in KiB."""
    numbers = {}
    for line in text.splitlines():
        name, _, rest = line.partition(b":")
        value = rest.split()
        if value and value[0].isdigit():
            numbers[name] = int(value[0])
    return numbers


def _sample(numbers: Mapping[bytes, int]) -> MemorySample:
    total = numbers[b"MemTotal"]
    return MemorySample(
        total=total,
        free=max(0, min(total, _available(numbers))),
        total_swap=numbers.get(b"SwapTotal", 0),
        free_swap=numbers.get(b"SwapFree", 0),
    )


def _available(numbers: Mapping[bytes, int]) -> int:
    """The kernel's own estimate; where it gives none, free memory, caches and slabs.

    ``Cached`` counts shared memory (tmpfs, too), which nothing can reclaim.
    """
    if b"MemAvailable" in numbers:
        return numbers[b"MemAvailable"]
    reclaimable = (b"MemFree", b"Buffers", b"Cached", b"SReclaimable")
    return sum(numbers.get(name, 0) for name in reclaimable) - numbers.get(b"Shmem", 0)
