"""What the agent's control groups grant of memory and swap, and what of it is left, in KiB.

A frame that takes more than a group has left is ended by the kernel, however much the machine has:
so this, and not the machine's memory, is what can be offered.
"""

from __future__ import annotations

import os
import re
from typing import NamedTuple

from rqd.system.enclosing import Enclosing


class Bound(NamedTuple):
    """KiB. ``free`` counts what the kernel can reclaim: the cache of files."""

    total: int
    free: int


class Bounds(NamedTuple):
    """One for each group that has a limit."""

    memory: tuple[Bound, ...] = ()
    swap: tuple[Bound, ...] = ()


UNBOUND = Bounds()


def read_bounds(groups: Enclosing) -> Bounds:
    """The bounds that the groups of the ``memory`` controller set now. Any thread."""
    memory, swap = (_memory_1, _swap_1) if groups.version == 1 else (_memory_2, _swap_2)
    return Bounds(
        memory=tuple(filter(None, map(memory, groups.folders))),
        swap=tuple(filter(None, map(swap, groups.folders))),
    )


# Most groups have no limit, so that is asked first: each file costs more than all else here.


def _memory_2(folder: str) -> Bound | None:
    limit = _number(folder, "memory.max")
    used = None if limit is None else _number(folder, "memory.current")
    if limit is None or used is None:
        return None
    return _bound(limit, used - _reclaimable(_statistics(folder)))


def _swap_2(folder: str) -> Bound | None:
    limit = _number(folder, "memory.swap.max")
    used = None if limit is None else _number(folder, "memory.swap.current")
    return None if limit is None or used is None else _bound(limit, used)


def _memory_1(folder: str) -> Bound | None:
    """Limits of groups above this one, also of unseen ones, are among its statistics."""
    statistics = _statistics(folder)
    own = _number(folder, "memory.limit_in_bytes")
    limit = _lowest(own, statistics.get(b"hierarchical_memory_limit"))
    used = None if limit is None else _number(folder, "memory.usage_in_bytes")
    if limit is None or used is None:
        return None
    return _bound(limit, used - _reclaimable(statistics, b"total_"))


def _swap_1(folder: str) -> Bound | None:
    """What version 1 limits is the sum of memory and swap: ``memsw``."""
    both = _lowest(_number(folder, "memory.memsw.limit_in_bytes"))
    if both is None:
        return None
    memory = _number(folder, "memory.limit_in_bytes")
    memory_used = _number(folder, "memory.usage_in_bytes")
    both_used = _number(folder, "memory.memsw.usage_in_bytes")
    if memory is None or memory_used is None or both_used is None:
        return None
    return _bound(max(0, both - memory), both_used - memory_used)


#: Version 1 writes no limit as the highest number that is a whole page; nothing real is near it.
_UNLIMITED = 1 << 62


def _lowest(*limits: int | None) -> int | None:
    return min(
        (limit for limit in limits if limit is not None and limit < _UNLIMITED), default=None
    )


def _bound(limit: int, used: int) -> Bound:
    """From bytes; what changed between two reads must not make anything negative."""
    return Bound(limit // 1024, max(0, limit - max(0, used)) // 1024)


def _reclaimable(statistics: dict[bytes, int], prefix: bytes = b"") -> int:
    """Bytes of files' pages, and of the kernel's own caches (of which version 1 doesn't tell).

    Shared memory and tmpfs are not among them: nothing can reclaim those.
    """
    names = (b"active_file", b"inactive_file", b"slab_reclaimable")
    return sum(statistics.get(prefix + name, 0) for name in names)


def _statistics(folder: str) -> dict[bytes, int]:
    """Those of its numbers that are asked for here."""
    found = _STATISTIC.findall(b"\n" + _read(folder, "memory.stat"))
    return {name: int(value) for name, value in found}


_STATISTIC = re.compile(
    rb"\n((?:total_)?(?:in)?active_file|slab_reclaimable|hierarchical_memory_limit) ([0-9]{1,19})"
    rb"(?=\n|$)"
)
_BYTES = re.compile(b"[0-9]{1,19}")


def _number(folder: str, name: str) -> int | None:
    """Bytes; None for ``max``, and where there is no such file."""
    text = _read(folder, name).strip()
    return int(text) if _BYTES.fullmatch(text) else None


def _read(folder: str, name: str) -> bytes:
    try:
        with open(os.path.join(folder, name), "rb") as file:
            return file.read()
    except OSError:
        return b""
