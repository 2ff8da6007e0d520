"""SIGHUP to a real agent: the configuration is read again, and no frame takes notice."""

from __future__ import annotations

import signal

from twisted.internet import reactor

from tests.integration.agent import Agent, AgentCase, on_agent
from tests.integration.farm import FakeCuebot
from tests.integration.log_frames import until


class ReloadTests(AgentCase):
    """What changes while the agent runs."""

    async def reload(self, agent: Agent, word: bytes) -> None:
        """``word`` is in the agent's log after that."""
        agent.signal(signal.SIGHUP)
        await until(lambda: word in agent.log)

    @on_agent(clean=False)
    async def test_reload(self, agent: Agent) -> None:
        """Another Cuebot is reported to; what can't change is said to need a restart."""
        gate = agent.gate()
        frame = agent.launch(f"read x <{gate.path}; exit 3")
        other = FakeCuebot(reactor)
        self.addCleanup(other.stop)
        agent.change(grpc={"cuebot_endpoints": [other.endpoint]}, machine={"facility": "moved"})
        await self.reload(agent, b"takes a restart, frames go on over it key=machine.facility")
        self.assertIn(b"in effect from now on key=grpc.cuebot_endpoints", agent.log)
        gate.open()
        await other.wait_for(lambda cuebot: cuebot.completions)
        (completion,) = other.completions
        self.assertEqual(completion.frame.frame_id, frame.id)
        self.assertEqual(completion.exit_status, 3)

    @on_agent()
    async def test_broken(self, agent: Agent) -> None:
        """A file that can't be used changes nothing, and every problem is in the log."""
        agent.change(logging={"level": "loud"}, machine={"monitor_interval": "soon"})
        await self.reload(agent, b"logging.level: ")
        await until(lambda: b"machine.monitor_interval: " in agent.log)
        agent.report()

    @on_agent("trap '' HUP")
    async def test_ignored(self, agent: Agent) -> None:
        """An agent that was started by nohup ignores the signal, as it is told to."""
        agent.signal(signal.SIGHUP)
        agent.report()
        self.assertNotIn(b"configuration", agent.log)
