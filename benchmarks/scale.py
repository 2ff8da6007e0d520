"""How much is measured: the sizes of a full run and of a quick one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

CORES = 1024
"""Cores that the agents are told they have, so that no frame ever waits for one."""

CLIENTS = 16
"""Threads that launch frames at the same time."""


class Rounds(NamedTuple):
    """How often a measure is taken: with openrqd, and with other agents.

    Others take part in fewer rounds, or in none, where nothing is promised of a ratio to them.
    """

    ours: int
    others: int


ROUNDS: Mapping[str, Rounds] = {
    "startup": Rounds(5, 5),
    "latency": Rounds(9, 9),
    "user": Rounds(5, 5),
    "throughput": Rounds(5, 5),
    "userthroughput": Rounds(5, 5),
    "scheduler": Rounds(5, 1),
    "running": Rounds(5, 5),
    "threads": Rounds(2, 1),
    "log": Rounds(5, 5),
    "loud": Rounds(5, 1),
    "crowd": Rounds(5, 0),
    "environment": Rounds(5, 0),
    "many": Rounds(1, 0),
    "leak": Rounds(1, 0),
}
"""How often each measure is taken in a full run.

A round of latency takes some seconds, for which a virtual machine's neighbours may double every
time: it is taken more often.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """Sizes of every measure. Times in seconds unless the name says otherwise."""

    settle: float = 4.0
    """Rest before an agent's idle or steady cost is measured."""
    window: float = 20.0
    """How long idle and steady costs are measured: both agents' periods go into it."""
    calls: int = 100
    warmup_frames: int = 5
    sequence: int = 100
    user_sequence: int = 60
    frame_ms: int = 20
    throughput: int = 500
    slow_throughput: int = 100
    """Frames of an agent that takes some tenths of a second for each."""
    scheduled: int = 50
    running: int = 100
    thread_levels: tuple[int, ...] = (0, 1000)
    log_lines: int = 1_000_000
    plain_lines: int = 200_000
    loud: int = 20
    probes: int = 40
    levels: tuple[int, ...] = (10, 100, 1000)
    """Numbers of frames that run, for what grows with them."""
    variables: tuple[int, ...] = (1, 10, 100)
    """Numbers of variables that a frame's request brings along."""
    variable_frames: int = 40
    many: int = 2000
    many_seconds: float = 60.0
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
    user_sequence=20,
    throughput=100,
    slow_throughput=30,
    scheduled=20,
    running=20,
    thread_levels=(0, 60),
    log_lines=50_000,
    plain_lines=50_000,
    loud=5,
    probes=20,
    levels=(5, 20, 80),
    variable_frames=15,
    many=200,
    many_seconds=25.0,
    leak_frames=300,
    sleep=90,
    patience=60.0,
)
"""A look in a few minutes, one round each; too little for the promises."""
