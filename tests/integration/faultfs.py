"""A pass-through FUSE file system that fails on demand: ``faultfs.py REAL CONTROL MOUNT_POINT``.

A program of its own for an interpreter with Debian's python3-fuse; ``faultmount`` starts it. Each
line of the control file is ``OPERATION ERRNO_NAME`` or ``OPERATION hang``; the operation is write,
read, open, create, flush, fsync, getattr, rename, unlink, mkdir, truncate, or ``*`` for all. A hang
lasts until its line goes; the caller is in D state meanwhile, as on a dead NFS mount.
"""

from __future__ import annotations

import errno
import os
import sys
import time
from collections.abc import Iterator

import fuse

fuse.fuse_python_api = (0, 2)
ROOT, CONTROL, MOUNT_POINT = (os.path.abspath(argument) for argument in sys.argv[1:4])


def fault(operation: str) -> str | None:
    """What shall happen to ``operation`` now."""
    if not os.path.exists(CONTROL):
        return None
    with open(CONTROL, encoding="ascii") as lines:
        for line in lines:
            name, what = line.split()
            if name in (operation, "*"):
                return what
    return None


def check(operation: str) -> None:
    """Fail or hang if told to."""
    while (found := fault(operation)) == "hang":
        time.sleep(0.01)
    if found:
        raise OSError(getattr(errno, found), found)


def real(path: str) -> str:
    """Where a file of the mount really is."""
    return ROOT + path


class OpenFile:
    """A file that somebody has open; uncached, so that each write arrives as one."""

    def __init__(self, path: str, flags: int, *mode: int) -> None:
        check("create" if flags & os.O_CREAT else "open")
        # The kernel has worked out where an append goes: pwrite must not do it again.
        self.descriptor = os.open(real(path), flags & ~os.O_APPEND, *(mode or (0o644,)))
        self.direct_io, self.keep_cache = True, False

    def read(self, size: int, offset: int) -> bytes:
        check("read")
        return os.pread(self.descriptor, size, offset)

    def write(self, data: bytes, offset: int) -> int:
        check("write")
        return os.pwrite(self.descriptor, data, offset)

    def fsync(self, datasync: int) -> None:
        check("fsync")
        os.fsync(self.descriptor)

    def flush(self) -> None:
        check("flush")

    def release(self, flags: int) -> None:
        os.close(self.descriptor)

    def fgetattr(self) -> os.stat_result:
        check("getattr")
        return os.fstat(self.descriptor)

    def ftruncate(self, size: int) -> None:
        check("truncate")
        os.ftruncate(self.descriptor, size)


class FaultFS(fuse.Fuse):
    """The file system: names and attributes."""

    file_class = OpenFile

    def getattr(self, path: str) -> os.stat_result:
        check("getattr")
        return os.lstat(real(path))

    def readdir(self, path: str, offset: int) -> Iterator[object]:
        return map(fuse.Direntry, [".", "..", *os.listdir(real(path))])

    def mkdir(self, path: str, mode: int) -> None:
        check("mkdir")
        os.mkdir(real(path), mode)

    def unlink(self, path: str) -> None:
        check("unlink")
        os.unlink(real(path))

    def rmdir(self, path: str) -> None:
        os.rmdir(real(path))

    def rename(self, old: str, new: str) -> None:
        check("rename")
        os.rename(real(old), real(new))

    def truncate(self, path: str, size: int) -> None:
        check("truncate")
        os.truncate(real(path), size)

    def chmod(self, path: str, mode: int) -> None:
        os.chmod(real(path), mode)

    def chown(self, path: str, uid: int, gid: int) -> None:
        os.chown(real(path), uid, gid)

    def utime(self, path: str, times: tuple[float, float]) -> None:
        os.utime(real(path), times)

    def statfs(self) -> os.statvfs_result:
        return os.statvfs(ROOT)


if __name__ == "__main__":
    server = FaultFS(dash_s_do="undef")
    server.multithreaded = True
    server.parse([MOUNT_POINT, "-f"], errex=1)
    server.main()
