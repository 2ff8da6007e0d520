"""What a run is told by its environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from random import SystemRandom
from typing import NamedTuple


class Options(NamedTuple):
    """A run goes on for ``seconds``, or else until there were so many frames and kills.

    ``rate`` is how many frames are launched a second, at most.
    """

    seed: int
    seconds: float | None
    frames: int
    kills: int
    rate: float


def options(environ: Mapping[str, str] = os.environ) -> Options:
    """Of ``OPENRQD_CHAOS_SEED``, ``_SECONDS``, ``_FRAMES``, ``_KILLS``, ``_RATE``."""

    def told(name: str) -> str:
        return environ.get(f"OPENRQD_CHAOS_{name}", "")

    return Options(
        seed=int(told("SEED") or SystemRandom().randrange(1 << 32)),
        seconds=float(told("SECONDS")) if told("SECONDS") else None,
        frames=int(told("FRAMES") or 10_000),
        kills=int(told("KILLS") or 200),
        rate=float(told("RATE") or 25),
    )
