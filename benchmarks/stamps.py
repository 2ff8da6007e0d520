"""What the compiled programs leave: stamp files and numbered lines."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.clocks import now

LINE_BYTES = 100

STAMP_BYTES = len("[12:34:56] ")
"""What a timestamp adds to a line of a log."""

_NUMBERED = re.compile(rb"(\d{8}) (#+)$")


class Stamps(NamedTuple):
    """Monotonic times of a program's first and last act."""

    first: float
    last: float


def read_stamps(path: Path, timeout: float = 5.0) -> Stamps | None:
    """Read a stamp file, waiting for its end if need be; None if it stays incomplete."""
    deadline = now() + timeout
    while True:
        try:
            found = dict(line.split()[:2] for line in path.read_text().splitlines())
            return Stamps(float(found["S"]), float(found["E"]))
        except (OSError, ValueError, KeyError):
            if now() > deadline:
                return None
        time.sleep(0.005)


def check_log(path: Path, lines: int) -> dict[str, Any]:
    """Which of spew's lines 1 to `lines` are whole in a log, and are they in order?"""
    seen = bytearray(lines + 1)
    damaged, last, in_order = 0, 0, True
    with open(path, "rb") as log:
        for line in log:
            match = _NUMBERED.search(line.rstrip(b"\r\n"))
            number = int(match[1]) if match else 0
            if match and len(match[2]) == LINE_BYTES - 10 and 0 < number <= lines:
                in_order = in_order and number > last
                seen[number] = 1
                last = number
            elif b"####" in line:
                damaged += 1
    return {
        "missing": lines - sum(seen),
        "damaged": damaged,
        "in_order": in_order,
        "bytes": path.stat().st_size,
    }


def first_line_of_spew(path: Path) -> str:
    """A sample of how the log holds the lines."""
    with open(path, "rb") as log:
        for line in log:
            if b"####" in line:
                return line[:60].decode(errors="replace").strip()
    return ""
