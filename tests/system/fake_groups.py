"""Made-up control groups: folders, and a ``/proc`` that says where this process is."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


class FakeGroups:
    """Trees of both versions; ``proc_root`` is for what is to be tested."""

    def __init__(self, root: str) -> None:
        self._root = Path(root).resolve()
        self.proc_root = str(self._root / "proc")
        self._mounts: list[str] = ["24 1 0:22 / /sys rw,nosuid shared:7 - sysfs sysfs rw"]
        self._memberships: list[str] = []
        (self._root / "proc" / "self").mkdir(parents=True)
        self._tell()

    def unified(self, path: str, *, root: str = "/") -> None:
        """Mount version 2, of which ``root`` is what shows, with this process in ``path``."""
        self.mount("unified", "cgroup2", "rw,nsdelegate", root=root)
        self.member(f"0::{path}")

    def version_1(self, controllers: str, path: str, *, root: str = "/") -> None:
        """The same for controllers of version 1, e.g. ``cpu,cpuacct``."""
        self.mount(controllers, "cgroup", f"rw,{controllers}", root=root)
        self.member(f"7:{controllers}:{path}")

    def mount(self, name: str, kind: str, options: str, *, root: str = "/") -> None:
        """A line of ``mountinfo``."""
        point = self.folder(name)
        Path(point).mkdir(parents=True, exist_ok=True)
        line = f"30 24 0:26 {root} {point} rw,nosuid shared:9 - {kind} {kind} {options}"
        self._mounts.append(line)
        self._tell()

    def member(self, line: str) -> None:
        """A line of ``/proc/self/cgroup``."""
        self._memberships.append(line)
        self._tell()

    def folder(self, path: str) -> str:
        """Where a group is, ``path`` beginning with the name of its tree."""
        return str(self._root / "groups" / path)

    def write(self, path: str, files: Mapping[str, object]) -> None:
        """Files of a group, by name."""
        folder = Path(self.folder(path))
        folder.mkdir(parents=True, exist_ok=True)
        for name, value in files.items():
            (folder / name).write_text(f"{value}\n")

    def _tell(self) -> None:
        own = Path(self.proc_root, "self")
        (own / "mountinfo").write_text("".join(f"{line}\n" for line in self._mounts))
        (own / "cgroup").write_text("".join(f"{line}\n" for line in self._memberships))
