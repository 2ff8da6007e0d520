"""How much is measured: the sizes of a full run and of a quick one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

CORES = 1024
"""Cores that the agents are told they have, so that no frame ever waits for one."""

CLIENTS = 16
"""Threads that launch frames at the same time."""

ROUNDS: Mapping[str, int] = {
    "startup": 10,
    "idle": 3,
    "latency": 5,
    "throughput": 5,
    "running": 3,
    "threads": 2,
    "log": 3,
    "busy": 3,
    "leak": 1,
}
"""How often each measure is taken in a full run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """Sizes of every measure. Times in seconds unless the name says otherwise."""

    settle: float = 8.0
    """Rest before an agent's idle or steady cost is measured."""
    window: float = 40.0
    """How long idle and steady costs are measured."""
    calls: int = 200
    warmup_frames: int = 5
    sequence: int = 100
    frame_ms: int = 20
    throughput: int = 500
    running: int = 100
    thread_levels: tuple[int, ...] = (0, 100, 300)
    log_lines: int = 1_000_000
    leak_frames: int = 5000
    sleep: int = 180
    """Life of a frame that is only there to run; longer than any measure that starts it."""
    patience: float = 180.0
    """How long completions are waited for."""


FULL = Scale()

QUICK = Scale(
    settle=2.0,
    window=6.0,
    calls=40,
    sequence=30,
    throughput=100,
    running=20,
    thread_levels=(0, 20, 60),
    log_lines=50_000,
    leak_frames=300,
    sleep=60,
    patience=60.0,
)
"""A look in a few minutes, one round each; too little for the promises."""
