"""SIGKILL at a step: the system calls by which files of one folder are touched, counted.

Which step that is doesn't depend on time. Nothing of this is in the agent: functions of ``os`` are
wrapped, in a process made to die.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from threading import Lock
from typing import Any, NamedTuple

from rqd.logging import spool

CALLS = ("open", "close", "pread", "write", "writev", "pwrite", "ftruncate", "fdatasync", "rename")


class Death(NamedTuple):
    """After how many steps to die; ``half``: amid the step, if that can be broken off."""

    step: int
    half: bool = False


class Trap:
    """Wraps the calls; writes to the file ``trace`` of the folder what was done."""

    def __init__(self, folder: str, death: Death | None) -> None:
        self._folder = folder + "/"
        self._death = death or Death(0)
        self._count = 0
        self._lock = Lock()
        self._write = os.write
        self._trace = os.open(self._folder + "trace", os.O_CREAT | os.O_TRUNC | os.O_WRONLY)

    def set(self) -> None:
        """From now on."""
        for name in CALLS:
            setattr(os, name, self._wrapped(name, getattr(os, name)))
        spool._fallocate = self._wrapped("punch", spool._fallocate)

    def _wrapped(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(what: Any, *args: Any, **options: Any) -> Any:
            kind = self._kind(args[0] if name == "rename" else what)
            if kind is None:
                return real(what, *args, **options)
            with self._lock:
                if self._is_due() and self._death.half and _is_breakable(name, what):
                    text = b"".join(args[0]) if name == "writev" else args[0]
                    self._write(what, text[: len(text) // 2])
                    self._die(f"half {name} {kind}")
            result = real(what, *args, **options)
            with self._lock:
                if self._is_due():
                    self._die(f"{name} {kind}")
                self._count += 1
                self._note(f"{name} {kind}")
            return result

        return call

    def _is_due(self) -> bool:
        return self._count + 1 == self._death.step

    def _kind(self, what: int | str) -> str | None:
        """Whose file that is: log, spool, checkpoint; ``None`` if it is none of them."""
        try:
            path = os.readlink(f"/proc/self/fd/{what}") if isinstance(what, int) else what
        except OSError:
            return None
        if not path.startswith(self._folder):
            return None
        for kind in ("checkpoint", "spool", "rqlog"):
            if kind in os.path.basename(path):
                return kind
        return None

    def _note(self, line: str) -> None:
        self._write(self._trace, line.encode() + b"\n")

    def _die(self, line: str) -> None:
        self._note("died: " + line)
        os.kill(os.getpid(), signal.SIGKILL)


def _is_breakable(name: str, file: Any) -> bool:
    """Any write but one over what is there: the kernel doesn't break off 17 bytes of a local file.

    That of a new file may be found empty or in part, if it is not whole.
    """
    return name in ("write", "writev") or (name == "pwrite" and not os.fstat(file).st_size)
