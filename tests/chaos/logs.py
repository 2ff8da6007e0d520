"""What a frame's log holds, taken apart."""

from __future__ import annotations

import re
from dataclasses import dataclass

RULE = b"=" * 59 + b"\n"
END = RULE + b"Render Frame Completed\n"
_STAMP = re.compile(rb"\[\d\d:\d\d:\d\d\] ")
_PINNED = re.compile(rb"(?m)^pinnedCores +\d")
_FOOTER_VALUE = re.compile(rb"(?m)^(exitStatus|exitSignal) +(-?\d+)$")


@dataclass(frozen=True)
class Log:
    """``pinned``: whether the header names processors.

    ``lines`` are those between header and footer, without time stamps and line ends.

    ``torn`` tells of a last line without an end, ``footers`` how many there are, ``end`` what the
    only one says, if it is whole: (exit status, exit signal).
    """

    headers: int
    pinned: bool
    lines: tuple[bytes, ...]
    torn: bool
    footers: int
    end: tuple[int, int] | None

    @property
    def is_empty(self) -> bool:
        """Whether it holds a header at most."""
        return not self.lines and not self.footers


def take_apart(text: bytes) -> Log:
    """The facts of a whole log; a log that is none of ours has no header."""
    parts = text.split(RULE, 2)
    headers = text.count(b"RenderQ JobSpec")
    if len(parts) < 3:
        return Log(headers, False, (), False, 0, None)
    body, found, footer = parts[2].partition(END)
    lines = body.split(b"\n")
    last = lines.pop()
    return Log(
        headers,
        _PINNED.search(parts[1]) is not None,
        tuple(_STAMP.sub(b"", line, count=1) for line in (*lines, *([last] if last else []))),
        bool(last),
        text.count(END),
        _end(footer) if found else None,
    )


def _end(footer: bytes) -> tuple[int, int] | None:
    """None unless the footer is whole and the last thing of the log."""
    if footer.find(RULE) != len(footer) - len(RULE):
        return None
    values = dict(_FOOTER_VALUE.findall(footer))
    try:
        return int(values[b"exitStatus"]), int(values[b"exitSignal"])
    except KeyError:
        return None
