"""From exec to the first answer and to the startup report; from SIGTERM to the exit."""

from __future__ import annotations

from typing import Any

from benchmarks.agents import Agent
from benchmarks.session import Session, Site


def take(agent: Agent, site: Site) -> dict[str, Any]:
    """Start and stop once. The port and the service are polled every 2 and 5 ms."""
    with Session(agent, site, "startup") as session:
        daemon = session.daemon
        figures = {
            "to_port_s": daemon.port_open - daemon.began,
            "to_answer_s": daemon.answered - daemon.began,
            "to_report_s": session.cuebot.startups[0]["at"] - daemon.began,
            "cpu_s": session.cpu(),
        }
    return {**figures, "stop_s": session.stop_seconds}
