"""What could not be written to frames' records, on its way there when the disk takes it again."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred, succeed

#: Adds a line to a record; runs in a worker, raises OSError.
Write = Callable[[], None]


class Unkept:
    """One line a frame, the newest, in the order in which they came; on the reactor."""

    def __init__(self) -> None:
        self._lines: dict[str, tuple[Write, Deferred[None]]] = {}
        self._written_now = ""
        self._waiting: list[Deferred[None]] = []

    def __len__(self) -> int:
        return len(self._lines)

    def add(self, key: str, write: Write) -> Deferred[None]:
        """Keep what a frame's record lacks; fires once it has it, never if it is dropped.

        It takes the place of what was kept for this frame: a report, that of a kill's note.
        """
        self._lines.pop(key, None)
        written: Deferred[None] = Deferred()
        self._lines[key] = write, written
        return written

    def drop(self, key: str) -> Deferred[None]:
        """Nobody needs it any more, if there is anything; fires when it isn't being written."""
        self._lines.pop(key, None)
        if key != self._written_now:
            return succeed(None)
        waiting: Deferred[None] = Deferred()
        self._waiting.append(waiting)
        return waiting

    async def write(self, run: Callable[[Write], Deferred[None]]) -> int:
        """Write all, in order, until one fails; return how many. Raises OSError.

        What has no record any more is dropped: there is nothing to add to.
        """
        many = 0
        while self._lines:
            key, (write, written) = next(iter(self._lines.items()))
            self._written_now = key
            try:
                await run(write)
            except FileNotFoundError:
                self._forget(key, write)
                continue
            finally:
                self._no_longer()
            many += 1
            if self._forget(key, write):
                written.callback(None)
        return many

    def _no_longer(self) -> None:
        self._written_now = ""
        waiting, self._waiting = self._waiting, []
        for dropped in waiting:
            dropped.callback(None)

    def _forget(self, key: str, write: Write) -> bool:
        """Whether it was still wanted, and is what was wanted."""
        known = self._lines.get(key)
        if known is None or known[0] is not write:
            return False
        del self._lines[key]
        return True
