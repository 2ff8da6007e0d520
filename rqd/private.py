"""Files of our own, read back with suspicion: whoever could have put another there is found out."""

from __future__ import annotations

import os
import stat


def read_private(path: str, largest: int) -> tuple[bytes, float]:
    """The text of a file of ours, and when it was written (seconds since the epoch).

    Blocks. Raises OSError; ValueError, with a sentence, for what is not ours alone, and for more
    than ``largest`` bytes.
    """
    opened = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        facts = os.fstat(opened)
        if not stat.S_ISREG(facts.st_mode):
            raise ValueError("it is no regular file")
        if facts.st_uid != os.geteuid():
            raise ValueError(f"it belongs to uid {facts.st_uid}")
        if facts.st_mode & 0o022:
            raise ValueError("others may write to it")
        if facts.st_size > largest:
            raise ValueError("it is too large")
        with open(opened, "rb", closefd=False) as file:
            return file.read(facts.st_size), facts.st_mtime
    finally:
        os.close(opened)
