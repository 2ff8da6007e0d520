"""A driver library for hosts without a GPU: see ``csrc/nvml.c``."""

from __future__ import annotations

import os
import shutil
from importlib.util import find_spec
from pathlib import Path

from tests.environments import SOURCE_TREE, lacks, run

SOURCE = SOURCE_TREE / "tests" / "csrc" / "nvml.c"
LIBRARY = "libnvidia-ml.so.1"
MIB = 1 << 20


def needed() -> None:
    """Skip a test where the stand-in can't be built, or the binding that loads it isn't there."""
    if shutil.which("gcc") is None:
        lacks("needs gcc, to build the stand-in for NVIDIA's driver library")
    if find_spec("pynvml") is None:
        lacks("needs nvidia-ml-py, which binds NVIDIA's driver library")


def build(folder: Path) -> Path:
    """Compile it into a folder."""
    library = folder / LIBRARY
    run(
        "gcc", "-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror",
        f"-Wl,-soname,{LIBRARY}", "-o", library, SOURCE,
    )  # fmt: skip
    return library


class World:
    """The GPUs that the stand-in shows, in a file that is replaced as a whole.

    Sizes in MiB.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._devices: list[tuple[str, int, int]] = []
        self._processes: list[str] = []
        self._troubles: dict[str, str] = {}
        self._write()

    def device(self, uuid: str, total: int, free: int) -> None:
        """Plug one in, after the others; or change what is free on it."""
        known = [each for each, _, _ in self._devices]
        if uuid in known:
            self._devices[known.index(uuid)] = uuid, total, free
        else:
            self._devices.append((uuid, total, free))
        self._write()

    def unplug(self, uuid: str) -> None:
        """Those after it move up."""
        self._devices = [each for each in self._devices if each[0] != uuid]
        self._write()

    def process(self, index: int, pid: int, used: int, kind: str = "compute") -> None:
        """A process has something on a device."""
        self._processes.append(f"process {index} {kind} {pid} {used * MIB}")
        self._write()

    def quit(self) -> None:
        """No process has anything on any device."""
        self._processes.clear()
        self._write()

    def fail(self, function: str, index: int, code: int) -> None:
        """From now on this call fails; ``index`` -1 for calls of no device, or of all."""
        self._trouble(function, f"fail {function} {index} {code}")

    def hang(self, function: str, index: int, seconds: float = 3600) -> None:
        """From now on this call doesn't return."""
        self._trouble(function, f"hang {function} {index} {seconds}")

    def heal(self, function: str) -> None:
        """This call works again; one that hangs returns."""
        del self._troubles[function]
        self._write()

    def _trouble(self, function: str, line: str) -> None:
        self._troubles[function] = line
        self._write()

    def _write(self) -> None:
        devices = [
            f"device {uuid} {total * MIB} {free * MIB}" for uuid, total, free in self._devices
        ]
        lines = [*devices, *self._processes, *self._troubles.values()]
        new = self.path.with_suffix(".new")
        new.write_text("".join(line + "\n" for line in lines))
        os.replace(new, self.path)
