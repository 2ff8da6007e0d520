"""A machine: a tree, booted by its own systemd in namespaces, and switched off again.

It shares the network of whoever boots it, which has to be a private one (``__main__`` sees to
that), and its files are a layer above a tree that others use as well.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from tests.deb.trees import CACHE
from tests.environments import run

T = TypeVar("T")
#: Seconds. Nothing takes as long unless it is broken.
PATIENCE = 120.0
_CGROUPS = Path("/sys/fs/cgroup")
#: The trees of control groups that the machine's systemd needs a part of: two where version 2
#: stands beside version 1.
TREES = (
    (_CGROUPS,)
    if (_CGROUPS / "cgroup.controllers").exists()
    else (_CGROUPS / "systemd", _CGROUPS / "unified")
)
#: What a machine sees of control groups: version 2 alone, beside version 1, or version 1 alone.
UNIFIED, HYBRID, LEGACY = "unified", "hybrid", "legacy"
#: What nspawn has to be told for each.
_VIEWS = {UNIFIED: {"SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"}, HYBRID: {}}
_VIEWS[LEGACY] = {"SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "0"}
_NAMESPACES = ("--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--root", "--wd")
#: How nspawn ends when a machine wants to be booted again.
_AGAIN = 133
_OPTIONS = (
    *("--quiet", "--boot", "--register=no", "--keep-unit", "--private-users=no"),
    *("--link-journal=no", "--console=pipe"),
)


def until(condition: Callable[[], T], what: str, patience: float = PATIENCE) -> T:
    """Wait for something that another process does; returns what it was, if it was true."""
    end = time.monotonic() + patience
    while not (found := condition()):
        if time.monotonic() > end:
            raise AssertionError(f"not within {patience:g} s: {what}")
        time.sleep(0.05)
    return found


class Layers:
    """A writable tree above others that stay as they are."""

    def __init__(self, *below: Path) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="machine-", dir=CACHE))
        self.upper = self._folder / "upper"
        self.root = self._folder / "root"
        self._below = below
        for name in ("upper", "root", "work"):
            (self._folder / name).mkdir()
            (self._folder / name).chmod(0o755)

    def mount(self) -> None:
        below = ":".join(map(str, self._below))
        options = f"lowerdir={below},upperdir={self.upper},workdir={self._folder}/work"
        run("mount", "-t", "overlay", "overlay", "-o", options, self.root)

    def unmount(self) -> None:
        run("umount", self.root)

    def remove(self) -> None:
        with suppress(AssertionError):
            self.unmount()
        shutil.rmtree(self._folder)


class Machine:
    """One that is off until ``boot``."""

    def __init__(self, root: Path, *, view: str) -> None:
        self.root = root
        self._view = view
        self._name = f"openrqd-test-{secrets.token_hex(4)}"
        self._nspawn: subprocess.Popen[bytes] | None = None
        self._leader = 0

    # -- on and off ----------------------------------------------------------------------------

    def boot(self) -> None:
        """Returns when all is started that is to be."""
        groups = [tree / self._name for tree in TREES]
        for group in groups:
            group.mkdir(exist_ok=True)
        join = " && ".join(f"echo $$ >{group}/cgroup.procs" for group in groups)
        where = (f"--machine={self._name}", f"--directory={self.root}")
        command = ["systemd-nspawn", *_OPTIONS, *where]
        environ = {**os.environ, **_VIEWS[self._view]}
        with open(f"{self.root}/../console", "ab") as console:
            self._nspawn = subprocess.Popen(
                ["/bin/sh", "-c", f'{join} && exec setsid "$@"', "sh", *command],
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                env=environ,
            )
        self._leader = until(self._first_process, "a first process")
        until(self._is_up, f"the boot of {self.root}")

    def wait_for_reboot(self) -> None:
        """It goes down and asks to be booted again, which is done here."""
        assert self._nspawn is not None
        self._end()
        if self._nspawn.returncode != _AGAIN:
            raise AssertionError(f"no reboot, but {self._nspawn.returncode}")
        self.boot()

    def power_off(self) -> None:
        """As its button does: in order."""
        os.kill(self._leader, signal.SIGRTMIN + 4)
        self._end()

    def pull_the_plug(self) -> None:
        """All is dead at once."""
        os.kill(self._leader, signal.SIGKILL)
        self._end()

    def close(self) -> None:
        """Off, whatever state it is in."""
        if self.is_on:
            self._leader = self._leader or until(self._first_process, "a first process")
            self.pull_the_plug()

    def _end(self) -> None:
        assert self._nspawn is not None
        self._nspawn.wait(PATIENCE)
        self._leader = 0
        for tree in TREES:
            for folder, _, _ in os.walk(tree / self._name, topdown=False):
                with suppress(OSError):
                    os.rmdir(folder)

    def _first_process(self) -> int:
        """Our number of the machine's number 1; 0 while nspawn still prepares it."""
        if not self.is_on:
            raise AssertionError(f"no boot: {Path(self.root, '../console').read_text()[-2000:]}")
        assert self._nspawn is not None
        pid = self._nspawn.pid
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            with suppress(OSError):
                if _numbers(Path(f"/proc/{child}/status"))[1:] == ["1"]:
                    return int(child)
        return 0

    def _is_up(self) -> bool:
        state = self.run("systemctl", "is-system-running", check=False)
        return state.strip() in ("running", "degraded")

    @property
    def is_on(self) -> bool:
        return self._nspawn is not None and self._nspawn.poll() is None

    # -- inside --------------------------------------------------------------------------------

    def run(self, *command: str, check: bool = True) -> str:
        """What a program says inside; one that fails is an error with all that it said."""
        enter = ["nsenter", f"--target={self._leader}", *_NAMESPACES]
        done = subprocess.run(
            [*enter, "--", *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "noninteractive"},
            timeout=PATIENCE,
            check=False,
        )
        said = done.stdout.decode(errors="replace")
        if check and done.returncode:
            raise AssertionError(f"{command} ended with {done.returncode}:\n{said}")
        return said

    def status(self, *command: str) -> int:
        """How a program ends inside."""
        script = '"$@" >/dev/null 2>&1; echo $?'
        return int(self.run("sh", "-c", script, "sh", *command))

    def property(self, name: str, unit: str = "openrqd.service") -> str:
        return self.run("systemctl", "show", "--property", name, "--value", unit).strip()

    def journal(self, *words: str) -> str:
        """Lines of the two units and of systemd about them, of this boot."""
        units = ("--unit=openrqd.service", "--unit=openrqd-frames.service")
        return self.run("journalctl", "--no-pager", "--boot", *units, *words)

    def pid(self, inside: int) -> int:
        """Our number of a process that has this one inside."""
        namespace = os.readlink(f"/proc/{self._leader}/ns/pid")
        for status in Path("/proc").glob("[0-9]*/status"):
            with suppress(OSError):
                theirs = os.readlink(status.with_name("ns") / "pid")
                if theirs == namespace and _numbers(status)[1:] == [f"{inside}"]:
                    return int(status.parent.name)
        raise AssertionError(f"no process {inside}")

    def path(self, inside: str) -> Path:
        return Path(f"{self.root}{inside}")


def _numbers(status: Path) -> list[str]:
    """A process's pid in each of the namespaces that it is in, the outermost first."""
    return status.read_text().partition("NSpid:")[2].partition("\n")[0].split()
