"""The host's processors: sockets, physical cores, hyper-threads, from ``/proc/cpuinfo``.

A hyper-thread is not a core. Processors that are offline are not listed by the kernel, so
processor numbers may have gaps; they are kept as they are, because pinning needs them.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
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

    def within(self, threads: Container[int]) -> Topology:
        """Only the cores whose threads all are in ``threads``, e.g. the agent's own affinity.

        Frames inherit what the agent may use: pinning one elsewhere would fail to start it.
        """
        return Topology(
            tuple(core for core in self.cores if all(thread in threads for thread in core.threads))
        )


def read_topology(cpuinfo_path: str) -> Topology:
    """Read a ``cpuinfo`` file; raises ``OSError``, or ``ValueError`` if it lists no processor."""
    with open(cpuinfo_path, encoding="utf-8", errors="replace") as cpuinfo:
        topology = parse_cpuinfo(cpuinfo.read())
    if not topology.cores:
        raise ValueError(f"{cpuinfo_path} lists no processor")
    return topology


def parse_cpuinfo(text: str) -> Topology:
    """The topology that the text of a ``cpuinfo`` file describes."""
    grouped: dict[tuple[int, int], list[int]] = {}
    for block in _processors(text):
        grouped.setdefault(_place(block), []).append(block["processor"])
    cores = [Core(*place, tuple(sorted(threads))) for place, threads in grouped.items()]
    return Topology(tuple(sorted(cores, key=lambda core: (core.socket, core.threads))))


_FIELDS = frozenset({"processor", "physical id", "siblings", "core id", "cpu cores"})


def _processors(text: str) -> Iterator[Mapping[str, int]]:
    """One mapping of the numbers that matter for each ``processor`` line and what follows it."""
    block: dict[str, int] = {}
    for line in text.splitlines():
        name, _, value = line.partition(":")
        name, value = name.strip(), value.strip()
        if name not in _FIELDS or not value.isdigit():
            continue
        if name == "processor" and block:
            yield block
            block = {}
        if name == "processor" or block:
            block[name] = int(value)
    if block:
        yield block


def _place(block: Mapping[str, int]) -> tuple[int, int]:
    """The socket and core of one processor.

    Without a core id (ARM, some virtual machines) each processor is a core. So it is where
    ``siblings`` equals ``cpu cores``: that says that there are no hyper-threads, while core
    ids may repeat all the same (several dies in a package, hypervisors that number nothing).
    """
    socket = block.get("physical id", 0)
    threads, cores = block.get("siblings"), block.get("cpu cores")
    if "core id" not in block or "physical id" not in block:
        return socket, block["processor"]
    if threads is not None and threads == cores:
        return socket, block["processor"]
    return socket, block["core id"]
