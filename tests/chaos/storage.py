"""The disks of a run, and what happens to them. Needs root and a mount namespace of its own.

::

    <folder>/state      tmpfs: the agent's state folder
    <folder>/plain      logs, always fine
    <folder>/small      tmpfs: logs
    <folder>/fuse       faultfs: logs (a link to its mount point)

"Full" is a file system of the size of what is in it: what goes makes room for what comes.
"Read-only" is a mount over the folder: a remount would be refused as long as a file is open for
writing, which is just when it is of interest.
"""

from __future__ import annotations

import os
import subprocess
from collections import Counter
from contextlib import suppress
from pathlib import Path

from tests.chaos.schedule import Fault
from tests.integration.faultmount import FaultMount

#: Bytes. The logs of a long run all stay until they are checked.
_SIZES = {"state": 192 << 20, "small": 3 << 30}


class Storage:
    """Mounted from its making to ``close``; one fault at a time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.done: Counter[str] = Counter()
        for name, size in _SIZES.items():
            self._mount_small(name, size)
        self._fuse = FaultMount(f"{folder}/faultfs")
        (folder / "fuse").symlink_to(self._fuse.point)
        (folder / "plain").mkdir()

    def _mount_small(self, name: str, size: int) -> None:
        place, twin = self._folder / name, self._folder / f"{name}-read-only"
        place.mkdir(mode=0o700)
        twin.mkdir()
        _run("mount", "-t", "tmpfs", "-o", f"size={size},mode=0700", "chaos", place)
        _run("mount", "--bind", place, twin)
        _run("mount", "-o", "remount,bind,ro", twin)

    def begin(self, fault: Fault) -> None:
        """Let it happen."""
        self.done[f"{fault.folder}: {fault.what}"] += 1
        place = self._folder / fault.folder
        if fault.folder == "fuse":
            self._fuse.fail(*fault.what.split(","))
        elif fault.what == "full":
            _fill(place)
        else:
            _run("mount", "--bind", f"{place}-read-only", place)

    def end(self, fault: Fault) -> None:
        """All is well again."""
        place = self._folder / fault.folder
        if fault.folder == "fuse":
            self._fuse.fail()
        elif fault.what == "full":
            _resize(place, _SIZES[fault.folder])
        else:
            _run("umount", "-l", place)

    def log_folder(self, name: str) -> str:
        """Where frames of that folder log to."""
        return str(self._folder / name)

    def close(self) -> None:
        """Unmount all."""
        self._fuse.stop()
        for name in _SIZES:
            for place in (f"{name}-read-only", name):
                _run("umount", "-l", self._folder / place)


def _resize(place: Path, size: int) -> None:
    """Give a tmpfs this size, in bytes."""
    _run("mount", "-o", f"remount,size={size}", place)


def _fill(place: Path) -> None:
    """Let it be as small as what is in it; that may grow while we look."""
    for margin in range(100):
        facts = os.statvfs(place)
        used = (facts.f_blocks - facts.f_bfree + margin) * facts.f_frsize
        with suppress(subprocess.CalledProcessError):
            _resize(place, max(used, facts.f_frsize))
            return
    raise OSError(f"{place} can't be filled")


def _run(*command: str | Path) -> None:
    """Raises CalledProcessError."""
    subprocess.run([str(part) for part in command], check=True, stderr=subprocess.DEVNULL)
