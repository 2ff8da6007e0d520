"""Thousands of short frames: each completed rightly and once, and nothing of them is left."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks import accounting
from benchmarks.agents import Agent
from benchmarks.clocks import now
from benchmarks.measures.throughput import fill_pools, outcome, repeated, run_true
from benchmarks.session import Session, Site

SETTLE_TIMEOUT = 15.0


@dataclass(frozen=True, slots=True)
class Census:
    """What an agent holds at some moment. Cores in points of a hundredth."""

    descriptors: int
    threads: int
    zombies: int
    processes: int
    files: int
    idle_cores: int
    frames: int

    def grown_since(self, earlier: Census) -> dict[str, int]:
        """How much more of each there is; cores that are missing count as grown."""
        before = asdict(earlier)
        grown = {name: value - before[name] for name, value in asdict(self).items()}
        grown["cores"] = -grown.pop("idle_cores")
        return grown


def take(agent: Agent, site: Site) -> dict[str, Any]:
    """Fill pools and caches by a first burst of frames, count, run the frames, count again."""
    with Session(agent, site, "leak") as session:
        fill_pools(session)
        time.sleep(3)
        before = census(session)
        memory = accounting.memory(session.pids)
        launches = run_true(session, site.scale.leak_frames)
        after = settled(session, before)
        return {
            **outcome(session, launches),
            "repeated": repeated(session, launches),
            "grown": after.grown_since(before),
            "before": asdict(before),
            "after": asdict(after),
            "rss_growth_mib": accounting.memory(session.pids)["rss_mib"] - memory["rss_mib"],
        }


def census(session: Session) -> Census:
    """Count."""
    report = session.status().host_report
    return Census(
        descriptors=sum(map(accounting.descriptor_count, session.pids)),
        threads=sum(map(accounting.thread_count, session.pids)),
        zombies=accounting.zombie_children(session.pids),
        processes=len(accounting.bearing(session.token)),
        files=accounting.files_below(session.tmp, session.state),
        idle_cores=report.core_info.idle_cores,
        frames=len(report.frames),
    )


def settled(session: Session, before: Census) -> Census:
    """Count until nothing is grown any more; what still is after a while is leaked."""
    deadline = now() + SETTLE_TIMEOUT
    while True:
        time.sleep(1)
        after = census(session)
        if now() > deadline or not any(n > 0 for n in after.grown_since(before).values()):
            return after
