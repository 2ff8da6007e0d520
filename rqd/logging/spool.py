"""The local file that holds a frame's stdout and stderr in the order of writing.

All functions block a little (local disk): for workers.
"""

from __future__ import annotations

import ctypes
import errno
import os

TAIL = 1 << 20
"""Bytes before the copied offset that are kept, so that rules can search the last output."""

ROOMY = 256 << 20
"""Free bytes of the disk below which no more is kept than ``SHORT_TAIL``."""

SHORT_TAIL = 64 << 10

_STEP, _SHORT_STEP = 1 << 20, 4 << 10
_KEEP_SIZE, _PUNCH_HOLE = 0x1, 0x2
_libc = ctypes.CDLL(None, use_errno=True)
_fallocate = _libc.fallocate64 if hasattr(_libc, "fallocate64") else _libc.fallocate
_fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]


def give_back(descriptor: int, begin: int, copied: int) -> int:
    """Free the disk blocks of what has been copied, but for the last ``TAIL`` bytes.

    ``begin`` is where the last call ended (its result). In steps of a MiB, so that it is rarely
    called for; the file's size stays. File systems that can't do this just keep the text. A disk
    that is nearly full gets back all but a little.
    """
    if copied - begin <= SHORT_TAIL:
        return begin
    tail, step = (TAIL, _STEP) if _is_roomy(descriptor) else (SHORT_TAIL, _SHORT_STEP)
    end = max(copied - tail, 0) // step * step
    if end <= begin:
        return begin
    _fallocate(descriptor, _PUNCH_HOLE | _KEEP_SIZE, begin, end - begin)
    return end


def _is_roomy(descriptor: int) -> bool:
    facts = os.fstatvfs(descriptor)
    return facts.f_bavail * facts.f_frsize >= ROOMY


def size(path: str) -> int:
    """Bytes that were written, those that were given back included; 0 if it is gone."""
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return 0


def first_data(path: str) -> int:
    """The offset of the first byte that was not given back."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return _data_from(descriptor, 0, os.fstat(descriptor).st_size)
    finally:
        os.close(descriptor)


def _data_from(descriptor: int, offset: int, size: int) -> int:
    """The first offset from this one on that is in no hole."""
    try:
        return os.lseek(descriptor, offset, os.SEEK_DATA)
    except OSError as error:
        return size if error.errno == errno.ENXIO else offset  # ENXIO: nothing but a hole


def last_lines(path: str, lines: int, begin: int = 0) -> bytes:
    """The last ``lines`` lines of a file, at most ``TAIL`` bytes, none from before ``begin``."""
    if lines <= 0:
        return b""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return b""
    try:
        size = os.fstat(descriptor).st_size
        start = _data_from(descriptor, max(begin, size - TAIL), size)
        text = os.pread(descriptor, max(size - start, 0), start)
    finally:
        os.close(descriptor)
    return _last_lines(text, lines)


def _last_lines(text: bytes, lines: int) -> bytes:
    at = len(text) - text.endswith(b"\n")
    for _ in range(lines):
        at = text.rfind(b"\n", 0, at)
        if at < 0:
            return text
    return text[at + 1 :]
