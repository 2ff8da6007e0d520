"""A fork bomb that is hard to catch: ``comets.py FOLDER SECONDS NUMBER [setsid]``.

So many processes fork all the time, and each is gone as soon as it has a child: whoever lists
processes and then signals them comes too late. It ends by itself after SECONDS at the latest, and
counts its generations in FOLDER/generations, so that a test sees whether it lives.
"""

from __future__ import annotations

import mmap
import os
import sys
import time


def run(folder: str, seconds: float, number: int, *, own_sessions: bool) -> None:
    """Fork until it is over; returns in the last process of each line."""
    end = time.monotonic() + seconds
    counted = os.open(f"{folder}/generations", os.O_RDWR | os.O_CREAT, 0o600)
    os.ftruncate(counted, 8)
    generations = mmap.mmap(counted, 8)
    for _ in range(number - 1):
        if os.fork() == 0:
            break
    while time.monotonic() < end:
        if os.fork():
            os._exit(0)
        if own_sessions:
            os.setsid()
        generations[:] = (int.from_bytes(generations[:], "little") + 1).to_bytes(8, "little")


if __name__ == "__main__":
    run(sys.argv[1], float(sys.argv[2]), int(sys.argv[3]), own_sessions="setsid" in sys.argv)
