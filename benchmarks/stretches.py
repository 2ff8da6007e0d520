"""What the stopwatch at an agent's reactor wrote."""

from __future__ import annotations

from pathlib import Path

from benchmarks.stopwatch import RECORD


def reactor_time(path: Path, began: float, ended: float, tick: float) -> dict[str, float]:
    """The reactor's work between two monotonic times, in ms: for each tick, and at a stretch.

    All that it did counts, not only what sampling took: what can't be told apart isn't taken off.
    """
    total = cpu_total = longest = longest_cpu = 0.0
    for woke, seconds, cpu, short in RECORD.iter_unpack(_whole(path.read_bytes())):
        if began <= woke < ended:
            total += seconds + short
            cpu_total += cpu
            longest, longest_cpu = max(longest, seconds), max(longest_cpu, cpu)
    ticks = (ended - began) / tick
    return {
        "ms_per_tick": total * 1e3 / ticks,
        "cpu_ms_per_tick": cpu_total * 1e3 / ticks,
        "longest_ms": longest * 1e3,
        "longest_cpu_ms": longest_cpu * 1e3,
    }


def _whole(content: bytes) -> bytes:
    """What was read while the agent wrote may end in a part of a record."""
    return content[: len(content) // RECORD.size * RECORD.size]
