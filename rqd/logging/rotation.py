"""Opening a new log where an old one may be. Blocks: for workers only."""

from __future__ import annotations

import os
import stat
from contextlib import suppress

KEPT = 15
"""How many old logs are kept: ``.1`` is the newest of them."""

_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
_ATTEMPTS = 5


def create(path: str, owner: tuple[int, int] | None) -> int:
    """Create the log ``path`` and return its descriptor, which the caller closes.

    What is there under that name is rotated first. The folder is made where it is missing, open to
    all as far as the umask allows, so that the users whose jobs log there can clean up; it and the
    log are given to ``owner`` where the agent may do that.
    """
    for _ in range(_ATTEMPTS):
        try:
            descriptor = os.open(path, _NEW, 0o644)
        except FileNotFoundError:
            _make_folder(os.path.dirname(path), owner)
        except FileExistsError:
            with suppress(FileNotFoundError):  # another host may be rotating it, too
                rotate(path)
        else:
            _give(descriptor, owner)
            return descriptor
    raise FileExistsError(f"another program keeps creating {path}")


def rotate(path: str) -> None:
    """Rename ``path`` to ``path.1``, and before that ``.1`` to ``.2`` and so on.

    Only as far as the first free number; the oldest is overwritten when none is free.
    """
    if stat.S_ISDIR(os.lstat(path).st_mode):
        raise IsADirectoryError(f"{path} is a folder")
    names = [path] + [f"{path}.{number}" for number in range(1, KEPT + 1)]
    free = next((index for index, name in enumerate(names) if not os.path.lexists(name)), KEPT)
    for index in range(free, 0, -1):
        os.rename(names[index - 1], names[index])


def _make_folder(folder: str, owner: tuple[int, int] | None) -> None:
    if os.path.isdir(folder):
        return
    _make_folder(os.path.dirname(folder), owner)
    try:
        os.mkdir(folder)
    except FileExistsError:
        return  # another host was quicker
    _give(folder, owner)


def _give(what: int | str, owner: tuple[int, int] | None) -> None:
    """Best effort: root is nobody on many NFS servers, and an agent that is not root may not."""
    if owner is not None and owner != (os.geteuid(), os.getegid()):
        with suppress(OSError):
            os.chown(what, *owner)
