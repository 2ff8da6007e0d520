"""How a frame ended: statuses and signals decoded (pure; SPEC §3's table)."""

from __future__ import annotations

import os
import re
import signal
from typing import NamedTuple

#: Exit statuses that Cuebot understands.
COULD_NOT_START = 256
NIMBY_LOCKED = 286
LOG_TOO_BIG = 287
#: Reported as exit_signal for a frame that was ended for the memory it used: Cuebot raises the
#: memory of its layer, and spends no retry on it.
OUT_OF_MEMORY = 33
#: Reported as exit_signal for a frame that vanished without an exit record.
VANISHED_SIGNAL = 19

_STATUS = re.compile(r"\d{1,3}", re.ASCII)
_SIGNALS = frozenset(int(number) for number in signal.valid_signals())


class Exit(NamedTuple):
    """An exit status and the signal that caused it (0 for none), as Cuebot wants them."""

    status: int
    signal: int = 0

    @property
    def failed(self) -> bool:
        return bool(self.status or self.signal)


VANISHED = Exit(1, VANISHED_SIGNAL)


class FrameEnd(NamedTuple):
    """The end that is reported: times in seconds since the epoch, run time in seconds."""

    exit_status: int
    exit_signal: int
    ended_at: float
    run_time: float
    reason: str = ""


def from_shell(status: int) -> Exit:
    """Decode ``$?``: a shell says 128+n of a child that signal n ended; 200 is just 200."""
    if status > 128 and status - 128 in _SIGNALS:
        return Exit(1, status - 128)
    return Exit(status)


def from_wait(wait_status: int) -> Exit:
    """Decode what ``waitpid`` said of the supervising shell, which repeats the frame's ``$?``."""
    if os.WIFSIGNALED(wait_status):
        return Exit(1, os.WTERMSIG(wait_status))
    return from_shell(os.WEXITSTATUS(wait_status))


class ChainReport(NamedTuple):
    """What the chain of programs around a frame wrote about itself (see ``chain``).

    ``started`` tells whether the frame's own shell took over; ``exit`` is None while no exit was
    recorded; ``said`` is everything else, which explains a start that failed. Of one that is not
    ``there`` nothing is known; one that is there and tells of no start proves that there was none.
    """

    born: str
    started: bool
    exit: Exit | None
    said: str
    there: bool = True


def read_chain(text: bytes | None) -> ChainReport:
    """Parse a chain file, None for none; a line that isn't complete was never written."""
    if text is None:
        return ChainReport("", False, None, "", there=False)
    born, started, end, said = "", False, None, []
    complete, _, rest = text.decode(errors="replace").rpartition("\n")
    for line in complete.split("\n"):
        word, _, value = line.partition(" ")
        if word == "born" and not born:
            born = value
        elif line == "up":
            started = True
        elif word == "exit" and _STATUS.fullmatch(value):
            end = from_shell(int(value))
        elif line:
            said.append(line)
    if rest:
        said.append(rest)
    return ChainReport(born, started, end, "\n".join(said))
