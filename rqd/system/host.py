"""All facts of a host's report except its GPUs, locks and state."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from rqd.system.boottime import read_boot_time
from rqd.system.enclosing import enclosing_groups
from rqd.system.home import OWN
from rqd.system.load import read_load
from rqd.system.memory import MemorySample, read_memory
from rqd.system.memorylimit import read_bounds
from rqd.system.osrelease import read_os_name
from rqd.system.shape import host_shape
from rqd.system.swapout import SwapoutRate
from rqd.system.tempstorage import TempStorage
from rqd.system.usable import UsableProcessors

if TYPE_CHECKING:
    from rqd.config.settings import MachineSettings


class HostSample(NamedTuple):
    """The host at one moment. Memory, swap and temp storage (mcp) in KiB."""

    name: str
    facility: str
    num_procs: int
    cores_per_proc: int
    """Points of one socket."""
    total_swap: int
    free_swap: int
    total_mem: int
    free_mem: int
    total_mcp: int
    free_mcp: int
    load: int
    """Points: 100 for one busy core."""
    boot_time: int
    """Seconds since the epoch."""
    tags: tuple[str, ...]
    attributes: Mapping[str, str]


class HostSampler:
    """Takes samples on the reactor's thread: a handful of the kernel's own files.

    ``name`` is what ``rqd.system.network.report_name`` found, once, before this is made.
    ``temp_storage`` is measured in a worker: each sample shows its last value and asks for
    the next. Start it first, for without a value Cuebot takes the host to repair. ``membership``
    tells of the control groups that frames live in, whose bounds are the host's.
    """

    def __init__(
        self,
        machine: MachineSettings,
        processors: UsableProcessors,
        *,
        name: str,
        temp_storage: TempStorage,
        proc_root: str = "/proc",
        membership: str = OWN,
        systems: Iterable[str] = (),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """``systems``: what jobs for this host may ask for, where that isn't its own system."""
        self._machine = machine
        self._name = name
        self._temp_storage = temp_storage
        self._proc_root = proc_root
        self._shape = host_shape(machine, processors)
        self._threads_per_core = processors.counted.threads_per_core
        self._groups = enclosing_groups("memory", proc_root=proc_root, membership=membership)
        self._os = machine.override_real_values.os or ",".join(systems)
        self._os = self._os or read_os_name(machine.distro_release_path)
        self._tags = host_tags(machine)
        self._swapout = SwapoutRate(os.path.join(proc_root, "vmstat"), monotonic=monotonic)

    def sample(self) -> HostSample:
        """The host now; raises ``OSError`` or ``ValueError`` if a file is not what it should be."""
        machine = self._machine
        memory = self.memory()
        self._temp_storage.refresh()
        space = self._temp_storage.space
        return HostSample(
            name=self._name,
            facility=machine.facility,
            num_procs=self._shape.num_procs,
            cores_per_proc=self._shape.cores_per_proc,
            total_swap=memory.total_swap,
            free_swap=memory.free_swap,
            total_mem=memory.total,
            free_mem=memory.free,
            total_mcp=space.total,
            free_mcp=space.free,
            load=read_load(machine.proc_loadavg_path, threads_per_core=self._threads_per_core),
            boot_time=read_boot_time(machine.proc_stat_path),
            tags=self._tags,
            attributes=self._attributes(),
        )

    def memory(self) -> MemorySample:
        """The host's memory alone; raises as ``sample`` does."""
        return read_memory(
            self._proc_root,
            override_total=self._machine.override_real_values.memory_size,
            bounds=read_bounds(self._groups),
        )

    def _attributes(self) -> dict[str, str]:
        return {
            "SP_OS": self._os,
            "hyperthreadingMultiplier": str(self._threads_per_core),
            "swapout": str(self._swapout.sample()),
        }


def host_tags(machine: MachineSettings) -> tuple[str, ...]:
    """``desktop`` for a workstation, then the custom tags, each once."""
    desktop = ("desktop",) if _is_workstation(machine) else ()
    return tuple(dict.fromkeys((*desktop, *machine.custom_tags)))


def _is_workstation(machine: MachineSettings) -> bool:
    """As the settings say; where they don't, a host that yields to its user (NIMBY) is one.

    Nothing is guessed from what is installed: render nodes have display managers, too.
    """
    override = machine.override_real_values.workstation_mode
    return machine.nimby_mode if override is None else override
