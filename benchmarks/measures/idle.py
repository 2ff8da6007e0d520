"""What an agent costs that has nothing to do, and how fast it then answers."""

from __future__ import annotations

import time
from typing import Any

from benchmarks import accounting
from benchmarks.agents import Agent
from benchmarks.calls import report_status_latency
from benchmarks.clocks import MachineClock, children_cpu_seconds, now
from benchmarks.session import Session, Site


def take(agent: Agent, site: Site) -> dict[str, Any]:
    """Settle, watch for a window, then call ReportStatus."""
    with Session(agent, site, "idle") as session:
        time.sleep(site.scale.settle)
        figures = watch(session) | accounting.memory(session.pids)
        figures["status_rpc_ms"] = report_status_latency(session, site.scale.calls, 0.02)
    return figures


def watch(session: Session) -> dict[str, Any]:
    """Figures of a window in which the driver does nothing."""
    reports, machine, began = len(session.cuebot.statuses), MachineClock.read(), now()
    cpu, children = session.cpu(), children_cpu_seconds(session.pids[0])
    time.sleep(session.scale.window)
    minutes = (now() - began) / 60
    return {
        "cpu_s_per_min": (session.cpu() - cpu) / minutes,
        "children_cpu_s_per_min": (children_cpu_seconds(session.pids[0]) - children) / minutes,
        "reports_per_min": (len(session.cuebot.statuses) - reports) / minutes,
        **MachineClock.read().since(machine),
    }
