"""The host's processors: sockets, physical cores, hyper-threads, from ``/proc/cpuinfo``.

A hyper-thread is not a core. Processors that are offline are not listed by the kernel, so
processor numbers may have gaps; they are kept as they are, because pinning needs them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from typing import NamedTuple


class Core(NamedTuple):
    """One physical core.

    ``core`` is its id within the socket (the processor's own number where the file tells
    of no hyper-threads); ``threads`` are the numbers of its online logical processors.
    """

    socket: int
    core: int
    threads: tuple[int, ...]


class Topology(NamedTuple):
    """All cores, ordered by socket, then by their lowest processor number."""

    cores: tuple[Core, ...]

    @property
    def sockets(self) -> int:
        """How many sockets hold a core."""
        return len({core.socket for core in self.cores})

    @property
    def threads_per_core(self) -> int:
        """The hyper-threading multiplier, at least 1: threads per core, to the nearest integer.

        Hybrid processors have cores of one thread beside cores of two, and single threads
        can be offline. The mean, rounded with ties down, is what most of the cores have. A
        multiplier that is too small overstates the load, which at worst delays a booking.
        """
        cores = max(1, len(self.cores))
        threads = sum(len(core.threads) for core in self.cores)
        return max(1, (2 * threads + cores - 1) // (2 * cores))

    @property
    def threads(self) -> frozenset[int]:
        """The numbers of all logical processors."""
        return frozenset(thread for core in self.cores for thread in core.threads)

    def within(self, threads: Container[int]) -> Topology:
        """What is left if only ``threads`` may be used, e.g. the agent's own affinity.

        A core that keeps one of its threads is still a core: it can run a frame. One that
        keeps none is gone.
        """
        narrowed = (
            Core(core.socket, core.core, tuple(t for t in core.threads if t in threads))
            for core in self.cores
        )
        return Topology(tuple(core for core in narrowed if core.threads))


def read_topology(cpuinfo_path: str) -> Topology:
    """Read a ``cpuinfo`` file; raises ``OSError``, or ``ValueError`` if it lists no processor."""
    with open(cpuinfo_path, encoding="utf-8", errors="replace") as cpuinfo:
        topology = parse_cpuinfo(cpuinfo.read())
    if not topology.cores:
        raise ValueError(f"{cpuinfo_path} lists no processor")
    return topology


def parse_cpuinfo(text: str) -> Topology:
    """The topology that the text of a ``cpuinfo`` file describes."""
    sockets: dict[int, list[_Block]] = {}
    for block in {block["processor"]: block for block in _processors(text)}.values():
        sockets.setdefault(block.get("physical id", 0), []).append(block)
    cores = [
        Core(socket, core, tuple(sorted(threads)))
        for socket, blocks in sockets.items()
        for core, threads in _cores(blocks).items()
    ]
    return Topology(tuple(sorted(cores, key=lambda core: (core.socket, core.threads))))


_Block = Mapping[str, int]

_FIELDS = frozenset({"processor", "physical id", "siblings", "core id", "cpu cores", "apicid"})
_NUMBER = re.compile("[0-9]{1,9}")


def _processors(text: str) -> Iterator[_Block]:
    """One mapping of the numbers that matter for each ``processor`` line and what follows it."""
    block: dict[str, int] = {}
    for line in text.splitlines():
        name, _, value = line.partition(":")
        name, value = name.strip(), value.strip()
        if name not in _FIELDS or not _NUMBER.fullmatch(value):
            continue
        if name == "processor" and block:
            yield block
            block = {}
        if name == "processor" or block:
            block[name] = int(value)
    if block:
        yield block


def _cores(blocks: Sequence[_Block]) -> Mapping[int, Sequence[int]]:
    """The processors of one socket by core.

    Where several dies are in a package each die may number its cores anew. It shows in more
    processors to a core id than a core has threads, and then the hardware's own number of
    each processor (``apicid``) tells: its lowest bits count the threads within a core.
    """
    cores = _grouped(blocks, _core_id)
    most = max(map(_threads_of_a_core, blocks))
    if most and max(map(len, cores.values())) > most and all("apicid" in each for each in blocks):
        bits = (most - 1).bit_length()
        return _grouped(blocks, lambda block: block["apicid"] >> bits)
    return cores


def _grouped(blocks: Sequence[_Block], core: Callable[[_Block], int]) -> dict[int, list[int]]:
    groups: dict[int, list[int]] = {}
    for block in blocks:
        groups.setdefault(core(block), []).append(block["processor"])
    return groups


def _core_id(block: _Block) -> int:
    """The core of one processor, within its socket.

    Without a core id (ARM, some virtual machines) each processor is a core. So it is where
    ``siblings`` equals ``cpu cores``: that says that there are no hyper-threads, while core
    ids may repeat all the same (several dies in a package, hypervisors that number nothing).
    """
    if "core id" not in block or "physical id" not in block or _threads_of_a_core(block) == 1:
        return block["processor"]
    return block["core id"]


def _threads_of_a_core(block: _Block) -> int:
    """How many threads a core of this socket has at most; 0 where the file doesn't tell.

    Rounded up: threads are offline, or a hybrid processor has cores with fewer.
    """
    threads, cores = block.get("siblings"), block.get("cpu cores")
    return -(-threads // cores) if threads and cores else 0
