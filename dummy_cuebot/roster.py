"""Which agents take part in a job.

A host is used once it has both answered a call and reported here: a Cuebot books on reports too,
and an agent that reports elsewhere would never tell us how its frames end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from dummy_cuebot.addresses import address
from dummy_cuebot.client import CallFailed
from dummy_cuebot.hosts import Agent


class Roster:
    """Agents that were named on the command line, or else all that report.

    ``admit`` takes an agent and its HostReport, once for each; ``forsaken`` is called when, after
    ``patience`` seconds, none of the named ones takes part. ``close`` ends the connections.
    """

    def __init__(
        self,
        named: Sequence[str],
        *,
        reactor: IReactorTime,
        connect: Callable[[str], Agent],
        admit: Callable[[Agent, Any], None],
        forsaken: Callable[[], None],
        tell: Callable[[str], None],
        patience: float,
        rqd_port: int,
    ) -> None:
        self._named = tuple(dict.fromkeys(named))
        self._reactor = reactor
        self._connect = connect
        self._admit = admit
        self._forsaken = forsaken
        self._tell = tell
        self._patience = patience
        self._rqd_port = rqd_port
        self._agents: dict[str, Agent] = {}
        self._reported: set[str] = set()
        self._answered: dict[str, tuple[Agent, Any]] = {}
        self._admitted: set[str] = set()

    def open(self) -> None:
        for named in self._named:
            self._ask(named)
        if self._named:
            self._reactor.callLater(self._patience, self._look_round)

    def reported(self, host_name: str) -> None:
        """A report came from a host."""
        self._reported.add(host_name)
        if not self._named:
            self._ask(address(host_name, self._rqd_port))
        self._admit_if_complete(host_name)

    def close(self) -> None:
        for agent in self._agents.values():
            agent.close()

    def _ask(self, target: str) -> None:
        if target not in self._agents:
            agent = self._agents[target] = self._connect(target)
            answer = agent.report(self._patience)
            answer.addCallbacks(
                lambda report: self._answer(agent, report), lambda why: self._absent(agent, why)
            )

    def _answer(self, agent: Agent, report: Any) -> None:
        self._answered[report.host.name] = (agent, report)
        self._admit_if_complete(report.host.name)

    def _admit_if_complete(self, name: str) -> None:
        if name in self._reported and name in self._answered:
            agent, report = self._answered.pop(name)
            self._admitted.add(agent.address)
            self._admit(agent, report)

    def _absent(self, agent: Agent, failure: Failure) -> None:
        failure.trap(CallFailed)
        self._tell(str(failure.value))
        agent.close()
        del self._agents[agent.address]

    def _look_round(self) -> None:
        for name, (agent, _) in self._answered.items():
            self._tell(f"{name} at {agent.address} never reported here: are we its Cuebot?")
        if not self._admitted:
            self._forsaken()
