"""Private files that are used again, because making one is dear.

ext4 gives a new file no inode that was freed in the last minutes, and looks at each of them to find
out: where many files come and go, making one takes the kernel 1 to 2 ms, renaming one 0.03 ms
(docs/design/blank-files.md). So what a frame leaves is emptied and kept under another name.

::

    <snapshots_path>/blanks/          0700
        <number>                      empty, 0600

Calls come from workers, several at a time.
"""

from __future__ import annotations

import os
import stat
from collections import deque
from contextlib import suppress
from itertools import count
from pathlib import Path

#: How many are kept: enough for some hundred frames a second, which are settled soon.
KEPT = 512
#: How many are made ahead: three for each of some frames that start before one has ended.
AHEAD = 128
_OPEN = os.O_APPEND | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_NEW = _OPEN | os.O_CREAT | os.O_EXCL


class Blanks:
    """The empty files of one agent."""

    def __init__(self, state: str) -> None:
        self.folder = Path(state, "blanks")
        self._names = count()
        self._kept: deque[str] = deque()
        self._most = KEPT

    def prepare(self) -> None:
        """Make the folder, and forget an earlier agent's; raises OSError."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for path in self.folder.iterdir():
            path.unlink()

    def fill(self) -> None:
        """Make some ahead, so that the first frames find what later ones do; raises OSError."""
        while len(self._kept) < min(AHEAD, self._most):
            blank = self._name()
            os.close(os.open(blank, _NEW, 0o600))
            self._kept.append(blank)

    def clear(self) -> None:
        """The agent stops: remove them, and keep no more; raises OSError."""
        self._most = 0
        while self._kept:
            with suppress(IndexError, FileNotFoundError):
                os.unlink(self._kept.popleft())

    def make(self, path: str, mode: int = 0o600) -> int:
        """Make an empty file that nobody else has; return a descriptor, to append. Raises OSError.

        Nothing that was planted at ``path`` is ever followed or written to.
        """
        with suppress(OSError, IndexError):
            return _reuse(self._kept.popleft(), path, mode)
        return os.open(path, _NEW, mode)

    def take_back(self, path: str) -> None:
        """Whoever used it is done with it; what is gone already is fine. Raises OSError."""
        if len(self._kept) < self._most and self._keep(path):
            return
        with suppress(FileNotFoundError, NotADirectoryError):
            os.unlink(path)

    def _keep(self, path: str) -> bool:
        blank = self._name()
        try:
            if not _empty(path):
                return False
            os.rename(path, blank)
        except OSError:  # it is gone, or on another file system
            return False
        self._kept.append(blank)
        return True

    def _name(self) -> str:
        return f"{self.folder}/{next(self._names)}"


def _reuse(blank: str, path: str, mode: int) -> int:
    opened = os.open(blank, _OPEN)
    try:
        facts = os.fstat(opened)
        if not _is_ours(facts) or facts.st_size:
            raise FileExistsError(f"{blank} is not empty")
        if mode != 0o600:
            os.fchmod(opened, mode)
        os.rename(blank, path)
    except OSError:
        os.close(opened)
        raise
    return opened


def _empty(path: str) -> bool:
    """Empty a file, if it is ours alone."""
    opened = os.open(path, _OPEN)
    try:
        facts = os.fstat(opened)
        if not _is_ours(facts):
            return False
        os.ftruncate(opened, 0)
        if stat.S_IMODE(facts.st_mode) != 0o600:
            os.fchmod(opened, 0o600)
    finally:
        os.close(opened)
    return True


def _is_ours(facts: os.stat_result) -> bool:
    return stat.S_ISREG(facts.st_mode) and facts.st_nlink == 1 and facts.st_uid == os.geteuid()
