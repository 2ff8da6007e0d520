"""What agents cost that have nothing to do, and while many frames of three processes each run.

The costs of all agents are watched in the same stretch of time, while the driver does nothing;
everything else is asked of one after the other.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

from benchmarks import accounting
from benchmarks.agents import Agent
from benchmarks.calls import frame_status_latency, kill_all, launch_all, report_status_latency
from benchmarks.clocks import MachineClock, children_cpu_seconds, now
from benchmarks.session import Session, Site

PROCESSES = 2
"""`sleep`s of a frame; the shell that waits for them is the third process."""


def take(agents: Sequence[Agent], site: Site) -> dict[str, dict[str, Any]]:
    """Watch them idle, bring frames up on each, watch again, call and kill; by agent."""
    scale = site.scale
    with ExitStack() as stack:
        sessions = {a.name: stack.enter_context(Session(a, site, "running")) for a in agents}
        time.sleep(scale.settle)
        idle = watch(sessions)
        for name, session in sessions.items():
            idle[name]["status_rpc_ms"] = report_status_latency(session, scale.calls, 0.02)
        duration = f"{scale.sleep}.{random.randrange(10**6, 10**7)}"
        up = {
            name: bring_up(session, scale.running, f"{duration}{i}")
            for i, (name, session) in enumerate(sessions.items())
        }
        time.sleep(scale.settle)
        found = watch(sessions)
        for i, (name, session) in enumerate(sessions.items()):
            busy, rest = found[name]["cpu_s_per_min"], idle[name]["cpu_s_per_min"]
            ids, replaced = up[name]
            found[name] |= {"idle": idle[name], "above_idle_cpu_s_per_min": busy - rest}
            found[name] |= asked(session, ids) | {"alive": accounting.sleeping(f"{duration}{i}")}
            found[name] |= kill(session, ids) | {"replaced": replaced}
            found[name]["left"] = accounting.sleeping(f"{duration}{i}")
    return found


def watch(sessions: Mapping[str, Session]) -> dict[str, dict[str, Any]]:
    """Figures of each agent over a window in which the driver does nothing."""
    before = {name: _clocks(session) for name, session in sessions.items()}
    machine = MachineClock.read()
    time.sleep(_window(sessions.values()))
    steal = MachineClock.read().since(machine)
    return {
        name: _since(before[name], _clocks(session)) | steal | accounting.memory(session.pids)
        for name, session in sessions.items()
    }


def _window(sessions: Iterable[Session]) -> float:
    return max(session.scale.window for session in sessions)


def _clocks(session: Session) -> dict[str, float]:
    """What the agent has spent and said so far, and when that was."""
    return {
        "at": now(),
        "cpu_s_per_min": session.cpu(),
        "children_cpu_s_per_min": children_cpu_seconds(session.pids[0]),
        "reports_per_min": len(session.cuebot.statuses),
    }


def _since(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, Any]:
    minutes = (after["at"] - before["at"]) / 60
    return {key: (after[key] - before[key]) / minutes for key in before if key != "at"}


def asked(session: Session, ids: Sequence[str]) -> dict[str, Any]:
    """How fast the agent answers, and what its reports are like."""
    report = session.cuebot.statuses[-1]
    return {
        "status_rpc_ms": report_status_latency(session, session.scale.calls, 0.03),
        "frame_status_rpc_ms": frame_status_latency(session, ids, 0.01),
        "reported_bytes": report["size"],
        "reported_with_rss": report["with_rss"],
    }


def bring_up(session: Session, number: int, duration: str) -> tuple[list[str], int]:
    """Launch until exactly that many frames run; replace those that died on the way up."""
    ids: list[str] = []
    launched, deadline = 0, now() + 60
    while now() < deadline:
        ids = [i for i in ids if i not in session.cuebot.completions]
        missing = number - len(ids)
        if not missing and accounting.sleeping(duration) == PROCESSES * number:
            return ids, launched - number
        frames = [
            session.frame(f"sleep {duration} & sleep {duration} & wait") for _ in range(missing)
        ]
        ids += [x.frame_id for x in launch_all(session, frames) if x.outcome == "OK"]
        launched += missing
        time.sleep(0.05)
    raise RuntimeError(f"{number} frames never ran at once")


def kill(session: Session, ids: Sequence[str]) -> dict[str, Any]:
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
