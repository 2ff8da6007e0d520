"""Stamping output with the time: each line begins ``[HH:MM:SS] ``, all other bytes pass unchanged.

Pure. Whole buffers are stamped by one ``bytes.replace``: a loop over lines costs ten times that.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import lru_cache

from rqd.logging.marks import segments


@lru_cache(maxsize=64)
def prefix(second: int) -> bytes:
    """The stamp for an epoch second, local time."""
    return time.strftime("[%H:%M:%S] ", time.localtime(second)).encode("ascii")


def stamp(text: bytes, mark: bytes, at_line_start: bool) -> tuple[bytes, bool]:
    """``text`` with ``mark`` before each line, and whether the next byte begins a line.

    ``at_line_start`` says whether the first byte does. A line's stamp is written together with
    its first byte, never ahead of it.
    """
    if not text:
        return text, at_line_start
    ends = text.endswith(b"\n")
    stamped = text.replace(b"\n", b"\n" + mark, text.count(b"\n") - ends)
    return (mark + stamped if at_line_start else stamped), ends


def stamp_marked(
    text: bytes, offset: int, marks: Sequence[tuple[int, int]], at_line_start: bool
) -> tuple[list[bytes], bool]:
    """Stamp ``text``, which lies at ``offset`` of its spool, by the times in ``marks``."""
    stamped: list[bytes] = []
    for begin, end, second in segments(offset, len(text), marks):
        whole = begin == 0 and end == len(text)
        part, at_line_start = stamp(
            text if whole else text[begin:end], prefix(second), at_line_start
        )
        stamped.append(part)
    return stamped, at_line_start
