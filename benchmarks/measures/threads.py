"""Do an agent's threads grow with its frames? Counted at several numbers of running frames."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Sequence
from typing import Any

from benchmarks import accounting
from benchmarks.agents import Agent
from benchmarks.calls import kill_all, launch_all
from benchmarks.clocks import now
from benchmarks.figures import median
from benchmarks.measures.throughput import fill_pools
from benchmarks.session import Session, Site


def take(agent: Agent, site: Site) -> dict[str, Any]:
    """Fill the agent's thread pools by a burst of frames, then count at each level.

    Pools start their threads when first needed, so the freshly started agent's number is reported
    but isn't the one that growth is counted from.
    """
    with Session(agent, site, "threads") as session:
        fresh = count(session)
        fill_pools(session)
        duration = f"{site.scale.sleep}.{random.randrange(10**6, 10**7)}"
        ids: list[str] = []
        counts = []
        for level in site.scale.thread_levels:
            frames = [session.frame(f"exec sleep {duration}") for _ in range(level - len(ids))]
            ids += [x.frame_id for x in launch_all(session, frames) if x.outcome == "OK"]
            await_all(duration, len(ids))
            time.sleep(2)
            counts.append(count(session))
        alive = accounting.sleeping(duration)
        kill_all(session, ids)
        session.cuebot.wait_completions(ids, 60)
    return {
        "fresh": fresh,
        "levels": dict(zip(site.scale.thread_levels, counts, strict=True)),
        "none_running": counts[0],
        "most_running": counts[-1],
        "growth": growth(counts, complete=alive == site.scale.thread_levels[-1]),
        "alive": alive,
    }


def growth(counts: Sequence[int], *, complete: bool) -> float:
    """Threads that came with frames; not a number if not all the frames ran."""
    return max(counts) - counts[0] if complete else math.nan


def await_all(duration: str, number: int) -> None:
    """Wait until so many of the sleeps run, or until it is plain that some never will."""
    deadline = now() + 20
    while accounting.sleeping(duration) < number and now() < deadline:
        time.sleep(0.1)


def count(session: Session) -> int:
    """Threads of the agent: the median of two seconds."""
    samples = []
    for _ in range(20):
        samples.append(sum(map(accounting.thread_count, session.pids)))
        time.sleep(0.1)
    return round(median(samples))
