"""Short frames as their own user, where an agent has to change to that user for each."""

from __future__ import annotations

from typing import Any

from benchmarks.agents import OURS, READING_ALL, Agent
from benchmarks.measures import latency, throughput
from benchmarks.session import Session, Setup, Site

AS_USER = Setup(run_as_user=True, way=READING_ALL)


def one_by_one(agent: Agent, site: Site) -> dict[str, Any]:
    """What `latency` measures, with fewer frames."""
    with Session(agent, site, "user", AS_USER) as session:
        return latency.sequence(session, site.scale.user_sequence)


def at_once(agent: Agent, site: Site) -> dict[str, Any]:
    """What `throughput` measures, with fewer frames of the agent that would take a minute."""
    number = site.scale.throughput if agent.name == OURS else site.scale.slow_throughput
    with Session(agent, site, "userthroughput", AS_USER) as session:
        return throughput.burst(session, number)
