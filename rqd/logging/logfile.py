"""The log file as a thing that others may rotate, remove, truncate or take away for a while.

It is opened only while there is something to write. Each time it is looked for again: under its
name, then, by its inode, under the names that rotation gives (another host may have started the
same frame again). Removed, it is made anew. Blocks: for workers only.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

from rqd.logging.rotation import KEPT, create

_AGAIN = os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NOT_OURS = (errno.ENOENT, errno.ELOOP, errno.ENXIO, errno.EISDIR)
_PIECES = 512


class LogFile:
    """One log; used by one worker at a time.

    ``inode`` 0 means that it isn't known: the file of that name is taken. It stays unknown where
    inodes aren't ``steady`` (many FUSE file systems make them up).
    """

    def __init__(
        self, path: str, inode: int, owner: tuple[int, int] | None, *, steady: bool = True
    ) -> None:
        self.path = path
        self.inode = inode if steady else 0
        self._steady = steady
        self._owner = owner
        self._descriptor = -1

    @property
    def is_open(self) -> bool:
        """Whether it holds a descriptor."""
        return self._descriptor >= 0

    def open(self) -> int:
        """Open the log if it isn't, and return its size."""
        if self.is_open:
            facts = os.fstat(self._descriptor)
            if facts.st_nlink:
                return facts.st_size
            self.abandon()
        self._descriptor, facts = self._find()
        self.inode = facts.st_ino if self._steady else 0
        return facts.st_size

    def adopt(self, descriptor: int) -> None:
        """Have it open by a descriptor that somebody else is done with, if it has its name yet."""
        self.abandon()
        try:
            named = os.path.samestat(os.fstat(descriptor), os.lstat(self.path))
        except OSError:
            named = False
        if named:
            self._descriptor = descriptor
        else:
            os.close(descriptor)

    def create(self, header: bytes, note: Callable[[], None]) -> None:
        """A new log with ``header``, closed again; an old one is rotated.

        ``note`` remembers that it is there. A log that takes no header, or of which no note can be
        made, is removed: it would rotate the others away at the next try.
        """
        self.abandon()
        self._descriptor = create(self.path, self._owner)
        try:
            self.append([header])
            self.inode = os.fstat(self._descriptor).st_ino if self._steady else 0
            self.close()  # reports what NFS could not write
            note()
        except OSError:
            self.abandon()
            os.unlink(self.path)
            raise

    def look(self) -> tuple[str, os.stat_result]:
        """Its name as it is now, and what is known of the file; FileNotFoundError if it is gone."""
        for name in self._names():
            with suppress(FileNotFoundError):
                facts = os.lstat(name)
                if self.inode in (0, facts.st_ino) and stat.S_ISREG(facts.st_mode):
                    return name, facts
        raise FileNotFoundError(errno.ENOENT, "the log is not there any more", self.path)

    def truncate(self, length: int) -> None:
        """Cut off what lies behind ``length``."""
        os.ftruncate(self._descriptor, length)

    def append(self, pieces: Sequence[bytes]) -> int:
        """Write all of ``pieces`` at the end; returns how many bytes that were."""
        written = 0
        for begin in range(0, len(pieces), _PIECES):
            written += self._append(pieces[begin : begin + _PIECES])
        return written

    def sync(self) -> None:
        """Wait until the storage has it: network file systems report a full disk only then."""
        os.fdatasync(self._descriptor)

    def ends_line(self, size: int) -> bool:
        """Whether what is there ends with a newline, or is nothing; for a log that is open."""
        return not size or os.pread(self._descriptor, 1, size - 1) == b"\n"

    def close(self) -> None:
        """Close it; an error here is one of writing."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def abandon(self) -> None:
        """Close it after an error: there is nothing more to learn."""
        try:
            self.close()
        except OSError:
            return

    def _append(self, pieces: Sequence[bytes]) -> int:
        total = sum(map(len, pieces))
        written = os.writev(self._descriptor, pieces)
        if written < total:  # a full disk, a signal: the rest, or the error
            rest = memoryview(b"".join(pieces))
            while written < total:
                written += os.write(self._descriptor, rest[written:])
        return total

    def _names(self) -> Iterator[str]:
        """Those that it may have."""
        yield self.path
        yield from (f"{self.path}.{number}" for number in range(1, KEPT + 1))

    def _find(self) -> tuple[int, os.stat_result]:
        for name in self._names():
            found = self._open_ours(name)
            if found is not None:
                return found
        if os.path.lexists(self.path):
            return self._open_theirs()
        descriptor = create(self.path, self._owner)
        return descriptor, os.fstat(descriptor)

    def _open_ours(self, name: str) -> tuple[int, os.stat_result] | None:
        try:
            descriptor = os.open(name, _AGAIN)
        except OSError as error:
            if error.errno in _NOT_OURS:
                return None
            raise
        facts = os.fstat(descriptor)
        if self.inode in (0, facts.st_ino) and stat.S_ISREG(facts.st_mode):
            return descriptor, facts
        os.close(descriptor)
        return None

    def _open_theirs(self) -> tuple[int, os.stat_result]:
        """Ours is gone and another file has its name (an editor does that): add to that one.

        Only to a plain file with no other name and an owner that a log of ours could have: the
        folder may be writable for all, the agent may be root.
        """
        descriptor = os.open(self.path, _AGAIN)
        facts = os.fstat(descriptor)
        owners = {os.geteuid()} | ({self._owner[0]} if self._owner else set())
        if stat.S_ISREG(facts.st_mode) and facts.st_nlink == 1 and facts.st_uid in owners:
            return descriptor, facts
        os.close(descriptor)
        raise FileExistsError(errno.EEXIST, "another file has taken the log's name", self.path)
