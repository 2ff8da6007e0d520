"""How far a log has been copied, on local disk, so that a killed agent's successor can go on.

17 bytes that change, written by one ``pwrite`` after each copied piece: spool offset, log length,
whether the next byte begins a line. Behind them 8 that are written once: the log's inode, by which
it is known again when another host has rotated it. All of it blocks a little: for workers.
"""

from __future__ import annotations

import os
import struct
from typing import NamedTuple

from rqd.blanks import Blanks

_HOT = struct.Struct("<QQB")
_INODE = struct.Struct("<Q")


class Position(NamedTuple):
    """``offset``: bytes of the spool copied. ``length``: bytes of the log that are right."""

    offset: int
    length: int
    at_line_start: bool

    def restarted(self) -> Position:
        """The same log, a spool that begins anew."""
        return self._replace(offset=0)


def create(path: str, position: Position, inode: int, blanks: Blanks) -> None:
    """A checkpoint for the log with ``inode``; private.

    An old one is overwritten at once, so that there is always one or the other. Raises OSError; a
    new one that can't be written is gone then, as one that is empty would say that there is a log.
    """
    whole = pack(position) + _INODE.pack(inode)
    try:
        descriptor, new = os.open(path, os.O_WRONLY | os.O_CLOEXEC), False
    except FileNotFoundError:
        descriptor, new = blanks.make(path), True
    try:
        os.pwrite(descriptor, whole, 0)
        if not new and os.fstat(descriptor).st_size > len(whole):
            os.ftruncate(descriptor, len(whole))
    except OSError as problem:
        if new:
            os.unlink(path)
        raise OSError(problem.errno, problem.strerror, path) from problem
    finally:
        os.close(descriptor)


def pack(position: Position) -> bytes:
    """The 17 bytes."""
    return _HOT.pack(position.offset, position.length, position.at_line_start)


def load(path: str) -> tuple[Position, int] | None:
    """Position and inode; ``None`` if there is no checkpoint or it makes no sense."""
    try:
        with open(path, "rb") as file:
            found = file.read(_HOT.size + _INODE.size + 1)
    except OSError:
        return None
    if len(found) != _HOT.size + _INODE.size:
        return None
    offset, length, at_line_start = _HOT.unpack_from(found)
    (inode,) = _INODE.unpack_from(found, _HOT.size)
    if at_line_start > 1 or max(offset, length) >= 1 << 62:
        return None
    return Position(offset, length, bool(at_line_start)), inode


def was_written(path: str) -> bool:
    """Whether there ever was one: an agent may have died before it had written anything."""
    try:
        return os.path.getsize(path) > 0
    except FileNotFoundError:
        return False
