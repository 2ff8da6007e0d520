"""When which bytes of a spool were written.

A mark says: the bytes up to this offset were there at this second. One a second at most, so that
a line that is copied hours late (its log's file system hung) still gets the time of its writing.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Sequence

LIMIT = 16384
"""Marks kept (16 bytes each): exact for 4.5 hours of uncopied output, coarser beyond."""


class Marks:
    """Grows at the end as output is seen, is forgotten at the start as it is copied."""

    def __init__(self) -> None:
        self._ends = array("Q")
        self._seconds = array("q")

    def __len__(self) -> int:
        return len(self._ends)

    def add(self, end: int, second: int) -> None:
        """The bytes up to ``end`` are there at ``second``, which may be one that was before.

        Lines tell the date at which they were written, also when that is set back.
        """
        if self._seconds and second == self._seconds[-1]:
            self._ends[-1] = max(end, self._ends[-1])
            return
        if len(self._ends) >= LIMIT:
            self._ends, self._seconds = self._ends[1::2], self._seconds[1::2]
        self._ends.append(end)
        self._seconds.append(second)

    def clear(self) -> None:
        """The spool begins anew."""
        del self._ends[:], self._seconds[:]

    def forget(self, offset: int) -> None:
        """The bytes before ``offset`` have been copied."""
        first = bisect_right(self._ends, offset)
        if first:
            del self._ends[:first], self._seconds[:first]

    def after(self, offset: int, limit: int) -> list[tuple[int, int]]:
        """The marks (end, second) that cover the bytes from ``offset`` to ``limit``."""
        first = bisect_right(self._ends, offset)
        last = bisect_right(self._ends, limit) + 1
        return list(zip(self._ends[first:last], self._seconds[first:last], strict=True))


def segments(
    offset: int, length: int, marks: Sequence[tuple[int, int]]
) -> list[tuple[int, int, int]]:
    """Cut ``length`` bytes at ``offset`` by ``marks``: (from, to, second), relative to ``offset``.

    Bytes beyond the last mark belong to it.
    """
    found: list[tuple[int, int, int]] = []
    begin, second = 0, 0
    for end, second in marks:
        stop = min(end - offset, length)
        if stop > begin:
            found.append((begin, stop, second))
            begin = stop
    if begin < length:
        found.append((begin, length, second))
    return found
