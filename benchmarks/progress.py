"""Where a run is: a bar that is rewritten on a terminal, a line for each step elsewhere."""

from __future__ import annotations

from typing import TextIO

from benchmarks.clocks import now

BAR_WIDTH = 24


class Progress:
    """Shows steps as they begin and end."""

    def __init__(self, steps: int, stream: TextIO) -> None:
        self._steps, self._stream = steps, stream
        self._done = 0
        self._began = self._step_began = now()
        self._live = stream.isatty()

    def begin(self, name: str) -> None:
        """A step begins."""
        self._step_began = now()
        if self._live:
            filled = BAR_WIDTH * self._done // self._steps
            bar = "█" * filled + "░" * (BAR_WIDTH - filled)
            elapsed = clock(now() - self._began)
            self._write(f"\r\033[K{bar} {self._done}/{self._steps} {elapsed} {name} …")

    def end(self, name: str, outcome: str) -> None:
        """The step has ended; its line stays."""
        self._done += 1
        took = now() - self._step_began
        clear = "\r\033[K" if self._live else f"[{self._done}/{self._steps}] "
        self._write(f"{clear}{name}: {outcome} ({took:.1f} s)\n")

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()


def clock(seconds: float) -> str:
    """Minutes and seconds."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
