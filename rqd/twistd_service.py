"""The agent as one of Twisted's services, for C{twistd}."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.application.service import Service
from twisted.internet.defer import Deferred

if TYPE_CHECKING:
    from rqd.agent import Agent


class AgentService(Service):
    """Starts and stops the agent when C{twistd} says so: after it has forked."""

    name = "openrqd"

    def __init__(self, agent: Agent) -> None:
        self._agent = agent

    def startService(self) -> None:
        """Raises CannotStart, and does not run then."""
        self._agent.start()
        super().startService()

    def stopService(self) -> Deferred[None]:
        super().stopService()
        return self._agent.stop()
