"""Memory and swap for frames, in KiB: what the machine has, within what control groups grant."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from rqd.system.memorylimit import UNBOUND, Bound, Bounds


class MemorySample(NamedTuple):
    """All in KiB. ``free`` is what frames could have: free and reclaimable memory."""

    total: int
    free: int
    total_swap: int
    free_swap: int


def read_memory(
    proc_root: str, *, override_total: int | None = None, bounds: Bounds = UNBOUND
) -> MemorySample:
    """Sample ``<proc_root>/meminfo``; raises ``OSError``, or ``ValueError`` if it tells no size.

    In a container the total is the tightest limit, and free is the least that the machine and
    each limited group have left.

    ``override_total``, in bytes, changes the size, not what is used: free is what the overridden
    size leaves. So a workstation can keep some memory back, and a developer's machine can pose as
    a big one, and in both used + free = total.
    """
    path = os.path.join(proc_root, "meminfo")
    with open(path, "rb") as meminfo:
        numbers = parse_meminfo(meminfo.read())
    if b"MemTotal" not in numbers:
        raise ValueError(f"{path} has no MemTotal")
    memory = _tightest(_machine_memory(numbers), bounds.memory)
    swap = _tightest(_machine_swap(numbers), bounds.swap)
    if override_total is not None:
        memory = _resized(memory, override_total // 1024)
    return MemorySample(memory.total, memory.free, swap.total, swap.free)


def parse_meminfo(text: bytes) -> dict[bytes, int]:
    """The numbers of a ``meminfo`` file by name; sizes are in KiB."""
    numbers = {}
    for line in text.splitlines():
        name, _, rest = line.partition(b":")
        value = rest.split()
        if value and value[0].isdigit():
            numbers[name] = int(value[0])
    return numbers


def _tightest(machine: Bound, groups: Sequence[Bound]) -> Bound:
    """A limit above what the machine has is none, for what is left, too."""
    binding = [machine, *(bound for bound in groups if bound.total < machine.total)]
    total = min(bound.total for bound in binding)
    return Bound(total, min(total, *(bound.free for bound in binding)))


def _resized(memory: Bound, total: int) -> Bound:
    return Bound(total, max(0, total - (memory.total - memory.free)))


def _machine_memory(numbers: Mapping[bytes, int]) -> Bound:
    total = numbers[b"MemTotal"]
    return Bound(total, max(0, min(total, _available(numbers))))


def _machine_swap(numbers: Mapping[bytes, int]) -> Bound:
    total = numbers.get(b"SwapTotal", 0)
    return Bound(total, min(total, numbers.get(b"SwapFree", 0)))


def _available(numbers: Mapping[bytes, int]) -> int:
    """The kernel's own estimate; where it gives none, free memory, caches and slabs.

    ``Cached`` counts shared memory (tmpfs, too), which nothing can reclaim.
    """
    if b"MemAvailable" in numbers:
        return numbers[b"MemAvailable"]
    reclaimable = (b"MemFree", b"Buffers", b"Cached", b"SReclaimable")
    return sum(numbers.get(name, 0) for name in reclaimable) - numbers.get(b"Shmem", 0)
