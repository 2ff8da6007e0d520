"""A terminal with lines that scroll and one progress line at the bottom."""

from __future__ import annotations

from typing import TextIO

_CLEAR = "\r\x1b[K"
_WIDTH = 30


class Screen:
    """Writes lines to ``stream``; keeps a progress line below them where that is a terminal.

    When piped there is no progress line, only lines.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._live = stream.isatty()
        self._progress = ""

    def line(self, text: str) -> None:
        self._write(f"{self._clear()}{text}\n{self._progress}")

    def progress(self, text: str) -> None:
        """Replaces the progress line; an empty one removes it."""
        if self._live:
            clear, self._progress = self._clear(), text
            self._write(f"{clear}{text}")

    def _clear(self) -> str:
        return _CLEAR if self._progress else ""

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()


def bar(done: int, total: int, tail: str = "") -> str:
    """``[#####.....] 5/10 tail``; a total of 0 is complete."""
    filled = _WIDTH * done // total if total else _WIDTH
    return f"[{'#' * filled}{'.' * (_WIDTH - filled)}] {done}/{total} {tail}".rstrip()
