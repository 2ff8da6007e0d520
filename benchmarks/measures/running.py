"""What an agent costs while many frames of three processes each run, and how it ends them."""

from __future__ import annotations

import random
import time
from typing import Any

from benchmarks import accounting
from benchmarks.agents import Agent
from benchmarks.calls import frame_status_latency, kill_all, launch_all, report_status_latency
from benchmarks.clocks import now
from benchmarks.measures.idle import watch
from benchmarks.session import Session, Site

PROCESSES = 2
"""`sleep`s of a frame; the shell that waits for them is the third process."""


def take(agent: Agent, site: Site) -> dict[str, Any]:
    """Watch it idle, bring the frames up, settle, watch for a window, call, kill all."""
    number = site.scale.running
    with Session(agent, site, "running") as session:
        time.sleep(site.scale.settle)
        idle = watch(session)["cpu_s_per_min"]
        duration = f"{site.scale.sleep}.{random.randrange(10**6, 10**7)}"
        ids, replaced = bring_up(session, number, duration)
        time.sleep(site.scale.settle)
        figures = watch(session) | accounting.memory(session.pids)
        figures |= {
            "above_idle_cpu_s_per_min": figures["cpu_s_per_min"] - idle,
            "replaced": replaced,
            "status_rpc_ms": report_status_latency(session, site.scale.calls, 0.03),
            "frame_status_rpc_ms": frame_status_latency(session, ids, 0.01),
            "reported_bytes": session.cuebot.statuses[-1]["size"],
            "reported_with_rss": session.cuebot.statuses[-1]["with_rss"],
            "alive": accounting.sleeping(duration),
        }
        figures |= kill(session, ids)
        figures["left"] = accounting.sleeping(duration)
    return figures


def bring_up(session: Session, number: int, duration: str) -> tuple[list[str], int]:
    """Launch until exactly that many frames run; replace those that died on the way up."""
    ids: list[str] = []
    launched, deadline = 0, now() + 60
    while now() < deadline:
        ids = [i for i in ids if i not in session.cuebot.completions]
        missing = number - len(ids)
        if not missing and accounting.sleeping(duration) == PROCESSES * number:
            break
        frames = [
            session.frame(f"sleep {duration} & sleep {duration} & wait") for _ in range(missing)
        ]
        ids += [x.frame_id for x in launch_all(session, frames) if x.outcome == "OK"]
        launched += missing
        time.sleep(0.3)
    return ids, launched - number


def kill(session: Session, ids: list[str]) -> dict[str, Any]:
    """Kill all frames; the time until the last completion came."""
    began = now()
    errors = kill_all(session, ids)
    session.cuebot.wait_completions(ids, 60)
    reports = [session.cuebot.completions[i][0] for i in ids if i in session.cuebot.completions]
    last = max((report["at"] for report in reports), default=float("nan"))
    time.sleep(0.5)
    return {
        "kill_errors": errors,
        "kill_to_last_s": last - began,
        "killed_unreported": len(ids) - len(reports),
    }
