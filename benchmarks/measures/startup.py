"""From exec to the first answer and to the startup report; from SIGTERM to the exit."""

from __future__ import annotations

import random
from typing import Any

from benchmarks.agents import TWISTD, Agent
from benchmarks.session import Session, Setup, Site


def take(agent: Agent, site: Site) -> dict[str, Any]:
    """Start and stop once by the agent's command, and once by twistd if it can; in any order."""
    ways = [way for way in ("", TWISTD) if not way or way in agent.ways]
    random.shuffle(ways)
    figures: dict[str, Any] = {}
    for way in ways:
        prefix = f"{way}_" if way else ""
        figures |= {prefix + key: value for key, value in start(agent, site, way).items()}
    return figures


def start(agent: Agent, site: Site, way: str) -> dict[str, Any]:
    """Start and stop once. The port and the service are polled every 2 and 5 ms."""
    with Session(agent, site, "startup", Setup(way=way)) as session:
        daemon = session.daemon
        figures = {
            "to_port_s": daemon.port_open - daemon.began,
            "to_answer_s": daemon.answered - daemon.began,
            "to_report_s": session.cuebot.startups[0]["at"] - daemon.began,
            "cpu_s": session.cpu(),
        }
    return {**figures, "stop_s": session.stop_seconds}
