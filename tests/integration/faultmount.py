"""The fixture around ``faultfs``: mounted at the start, released and unmounted at the end."""

from __future__ import annotations

import os
import subprocess
import time

PYTHON = "/usr/bin/python3"
"""The interpreter that has ``fuse``: Debian's own."""

PROGRAM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "faultfs.py")


def lacking() -> str | None:
    """What this machine lacks for it; nothing on one that runs the tests for real."""
    if os.environ.get("CI") == "true":
        return None
    if not os.path.exists("/dev/fuse"):
        return "no /dev/fuse"
    probe = subprocess.run([PYTHON, "-c", "import fuse"], capture_output=True, check=False)
    return "no python3-fuse" if probe.returncode else None


class FaultMount:
    """A mount at ``folder``/mount whose files are really in ``folder``/real."""

    def __init__(self, folder: str) -> None:
        self.real = os.path.join(folder, "real")
        self.point = os.path.join(folder, "mount")
        self._control = os.path.join(folder, "control")
        for name in (folder, self.real, self.point):
            os.mkdir(name)
        self._process = subprocess.Popen([PYTHON, PROGRAM, self.real, self._control, self.point])
        while not os.path.ismount(self.point):
            if self._process.poll() is not None:
                raise RuntimeError(f"faultfs ended with {self._process.returncode}")
            time.sleep(0.01)

    def fail(self, *faults: str) -> None:
        """From now on these (``write ENOSPC``, ``* hang``) and no others."""
        with open(self._control + ".new", "w", encoding="ascii") as control:
            control.writelines(fault + "\n" for fault in faults)
        os.rename(self._control + ".new", self._control)

    def stop(self) -> None:
        """Release whoever hangs, and unmount."""
        self.fail()
        subprocess.run(["umount", "-l", self.point], check=True)
        self._process.wait()
