"""openrqd with a stopwatch at its reactor: `python -P stopwatch.py FILE [openrqd's arguments]`.

The agent is the real one. What the reactor does between two polls is a stretch: as long as it lasts
nothing else is answered. Stretches of 0.1 ms and more are written to the file when they end, in the
form that `stretches` reads; shorter ones are added up and come with the next. Imports nothing of
the bench, so that the agent's memory is its own.
"""

from __future__ import annotations

import os
import struct
import sys
import time
from typing import Any

LEAST = 1e-4
"""Seconds from which a stretch is written by itself."""

RECORD = struct.Struct("<dddd")
"""Monotonic begin, seconds, CPU seconds, seconds of the short stretches since the last record."""


class Stopwatch:
    """Stands in front of an epoll object and times what happens between its polls."""

    def __init__(self, poller: Any, out: int) -> None:
        self._poller, self._out = poller, out
        self._short = 0.0
        self._woke, self._cpu = time.monotonic(), time.thread_time()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._poller, name)

    def poll(self, *arguments: Any) -> Any:
        """Note the stretch that ends here, then poll."""
        seconds = time.monotonic() - self._woke
        if seconds < LEAST:
            self._short += seconds
        else:
            cpu = time.thread_time() - self._cpu
            os.write(self._out, RECORD.pack(self._woke, seconds, cpu, self._short))
            self._short = 0.0
        ready = self._poller.poll(*arguments)
        self._woke, self._cpu = time.monotonic(), time.thread_time()
        return ready


def main() -> None:
    """Run the agent with the rest of the arguments."""
    from twisted.internet import reactor

    from rqd.command import main as openrqd

    file, *arguments = sys.argv[1:]
    out = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    reactor._poller = Stopwatch(reactor._poller, out)  # type: ignore[attr-defined]
    openrqd(arguments)


if __name__ == "__main__":
    main()
