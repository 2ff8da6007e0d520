"""Which mount holds a path, found without touching anything that may hang.

``stat`` on a dead NFS mount blocks for good, so the answer comes from ``/proc/self/mountinfo``:
the longest mount point that is a prefix. Symbolic links are followed as long as they lie on a
local file system (studios link ``/shots`` to ``/mnt/nas1/shots``); the walk ends where the first
other file system begins. Used on the reactor, so local look-ups only.
"""

from __future__ import annotations

import os
import re
import select
import time
from typing import NamedTuple

_LOCAL = frozenset(
    (
        "bcachefs",
        "btrfs",
        "cgroup",
        "cgroup2",
        "devtmpfs",
        "ecryptfs",
        "erofs",
        "exfat",
        "ext2",
        "ext3",
        "ext4",
        "f2fs",
        "iso9660",
        "jfs",
        "overlay",
        "proc",
        "ramfs",
        "rootfs",
        "squashfs",
        "sysfs",
        "tmpfs",
        "vfat",
        "xfs",
        "zfs",
    )
)
_OCTAL = re.compile(r"\\([0-7]{3})")
_LINKS = 40
_REMEMBERED = 4096
_FRESH = 0.02
"""Seconds in which mounts are taken not to change: asking the kernel hands the interpreter on."""


class Mount(NamedTuple):
    """A line of mountinfo: where, what kind, from where."""

    point: str
    fstype: str
    source: str

    @property
    def local(self) -> bool:
        """Whether it answers at once and reports a full disk at the write, not at the close."""
        return self.fstype in _LOCAL


def _unescape(field: str) -> str:
    raw = _OCTAL.sub(lambda match: chr(int(match[1], 8)), field)
    return os.fsdecode(raw.encode("latin-1"))


def parse_mountinfo(text: str) -> dict[str, Mount]:
    """Mounts by mount point; a later line covers an earlier one. ``text`` is latin-1 decoded."""
    mounts = {"/": Mount("/", "rootfs", "none")}
    for line in text.splitlines():
        left, separator, right = line.partition(" - ")
        fields, kinds = left.split(" "), right.split(" ")
        if separator and len(fields) > 4 and len(kinds) > 1:
            point = _unescape(fields[4])
            mounts[point] = Mount(point, kinds[0], _unescape(kinds[1]))
    return mounts


class MountTable:
    """The mounts of this process, read again when the kernel says that they changed."""

    def __init__(self, mountinfo: str = "/proc/self/mountinfo", *, fresh: float = _FRESH) -> None:
        """``fresh``: seconds for which an answer of the kernel is taken to hold."""
        self._mountinfo = mountinfo
        self._file: int | None = None
        self._poll = select.poll()
        self._mounts: dict[str, Mount] = {}
        self._looked = float("-inf")
        self._fresh = fresh
        self._by_folder: dict[str, Mount] = {}

    def mount_of(self, path: str) -> Mount:
        """The mount on which ``path`` (absolute; it need not exist) is, or would be."""
        self._refresh()
        folder = path[: path.rfind("/")]
        mount = self._by_folder.get(folder)
        if mount is None:
            if len(self._by_folder) >= _REMEMBERED:
                self._by_folder.clear()
            mount = self._by_folder[folder] = self._walk(folder)
        return mount

    def close(self) -> None:
        """Give the descriptor back."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
            self._poll = select.poll()
            self._looked = float("-inf")

    def _refresh(self) -> None:
        now = time.monotonic()
        if now - self._looked < self._fresh:
            return
        self._looked = now
        if self._file is None:
            self._file = os.open(self._mountinfo, os.O_RDONLY | os.O_CLOEXEC)
            self._poll.register(self._file, select.POLLPRI)
        elif not self._poll.poll(0):
            return
        with open(self._mountinfo, encoding="latin-1", newline="\n") as lines:
            self._mounts = parse_mountinfo(lines.read())
        self._by_folder.clear()

    def _covering(self, path: str) -> Mount:
        while path not in self._mounts:
            path = os.path.dirname(path)
        return self._mounts[path]

    def _walk(self, folder: str) -> Mount:
        """Follow links while that is local; the mount where the path ends up."""
        done, left, links = "/", _parts(folder), 0
        while left:
            here = os.path.normpath(os.path.join(done, left.pop(0)))
            mount = self._covering(here)
            if not mount.local:
                return mount
            target = _link(here) if links < _LINKS else None
            if target is None:
                done = here
            else:
                links += 1
                done, left = ("/" if target.startswith("/") else done), _parts(target) + left
        return self._covering(done)


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part not in ("", ".")]


def _link(path: str) -> str | None:
    try:
        return os.readlink(path)
    except (OSError, ValueError):
        return None
