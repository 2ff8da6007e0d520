"""Locks, NIMBY and pending actions over restarts of a real agent."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

from tests.integration.agent import CORES, PATIENCE, Agent, AgentCase, on_agent, state_of
from tests.integration.log_frames import until

TOTAL = CORES * 100


def record(agent: Agent) -> Path:
    return Path(agent.state, "host.json")


class RestartTests(AgentCase):
    """What the next agent knows, from its startup report on."""

    @on_agent()
    async def test_locks(self, agent: Agent) -> None:
        """Locked cores stay locked, also if the agent is killed as soon as it has answered."""
        agent.lock(250)
        await agent.end(signal.SIGKILL)
        await agent.start_again()
        self.assertEqual(agent.cuebot.startups[1].core_info.locked_cores, 250)
        agent.unlock(50)
        agent.call("LockAll")
        await agent.end()
        await agent.start_again(machine={"override_real_values": {"cores": 2}})
        self.assertEqual(agent.cuebot.startups[2].core_info.locked_cores, 200)
        agent.call("UnlockAll")
        await agent.end(signal.SIGKILL)
        await agent.start_again(machine={"override_real_values": {"cores": CORES}})
        self.assertEqual(agent.cuebot.startups[3].core_info.idle_cores, TOTAL)

    @on_agent()
    async def test_private(self, agent: Agent) -> None:
        """The file is the agent's own, and nothing is left beside it."""
        agent.lock(250)
        self.assertEqual(record(agent).stat().st_mode & 0o777, 0o600)
        kept = ["berths", "blanks", "frames", "host.json", "lock"]
        self.assertEqual(sorted(os.listdir(agent.state)), kept)

    @on_agent()
    async def test_torn(self, agent: Agent) -> None:
        """What makes no sense is set aside, and said; the agent starts all the same."""
        agent.lock(250)
        await agent.end(signal.SIGKILL)
        torn = record(agent).read_bytes()[:30]
        record(agent).write_bytes(torn)
        await agent.start_again()
        self.assertEqual(agent.cuebot.startups[1].core_info.locked_cores, 0)
        await until(lambda: b"set aside" in agent.log, PATIENCE)
        self.assertEqual(Path(agent.state, "host.json.bad").read_bytes(), torn)

    async def pending(self, agent: Agent) -> None:
        """A frame runs, 100 points are locked, and the agent dies waiting for a reboot."""
        frame = agent.launch(f"echo here; read < {agent.gate().path}")
        await frame.says(b"here")
        agent.lock(100)
        agent.call("RebootIdle")
        await agent.end(signal.SIGKILL)

    @on_agent(clean=False)
    async def test_pending_reboot(self, agent: Agent) -> None:
        """A reboot that waits for idle waits on in the next agent, also for the earlier frames."""
        await self.pending(agent)
        await agent.start_again()
        startup = agent.cuebot.startups[1]
        self.assertEqual(startup.core_info.locked_cores, TOTAL - 1)
        self.assertEqual(startup.core_info.booked_cores, 1)
        self.assertEqual(startup.host.attributes["whenIdle"], "reboot")
        self.assertEqual(agent.hardware_state, "REBOOT_WHEN_IDLE")
        self.assertFalse(agent.reboots.exists())
        agent.call("UnlockAll")
        self.assertEqual(agent.hardware_state, "UP")

    @on_agent(clean=False)
    async def test_another_boot(self, agent: Agent) -> None:
        """Once the machine was booted again there is nothing to wait for; older locks stay."""
        await self.pending(agent)
        kept = json.loads(record(agent).read_bytes())
        record(agent).write_text(json.dumps(kept | {"boot_id": "another"}))
        await agent.start_again()
        self.assertEqual(agent.cuebot.startups[1].core_info.locked_cores, 100)
        self.assertEqual(state_of(agent.report()), "UP")
        self.assertFalse(agent.reboots.exists())

    @on_agent()
    async def test_after_the_reboot(self, agent: Agent) -> None:
        """A reboot that has begun isn't repeated by the next agent."""
        agent.lock(100)
        agent.call("RebootIdle")
        await until(agent.reboots.exists, PATIENCE)
        await agent.end(signal.SIGKILL)
        await agent.start_again()
        self.assertEqual(agent.cuebot.startups[1].core_info.locked_cores, 100)
        self.assertEqual(agent.hardware_state, "UP")
        self.assertEqual(agent.reboots.read_text(), "reboot\n")

    @on_agent(clean=False)
    async def test_command_gone(self, agent: Agent) -> None:
        """What can't be done any more is not waited for."""
        gate = agent.gate()
        frame = agent.launch(f"echo here; read < {gate.path}")
        await frame.says(b"here")
        agent.call("RestartRqdIdle")
        await agent.end()
        await agent.start_again(machine={"restart_command": ["stand-in-that-is-not-there"]})
        await until(lambda: b"can't be done here any more" in agent.log, PATIENCE)
        self.assertEqual(agent.report().core_info.locked_cores, 0)
        gate.open()

    @on_agent(machine={"nimby_activity_file": "{folder}/activity"})
    async def test_nimby(self, agent: Agent) -> None:
        """NIMBY stays on, and locked; a changed configuration wins over what was asked before."""
        activity = Path(agent.folder, "activity")
        activity.write_text("active")
        agent.call("NimbyOn")
        await agent.end(signal.SIGKILL)
        await agent.start_again()
        host = agent.cuebot.startups[1].host
        self.assertEqual((host.nimby_enabled, host.nimby_locked), (True, True))
        await agent.end()
        await agent.start_again(machine={"nimby_mode": True})
        self.assertTrue(agent.cuebot.startups[2].host.nimby_locked)
        agent.call("NimbyOff")
        await agent.end()
        await agent.start_again()
        host = agent.cuebot.startups[3].host
        self.assertEqual((host.nimby_enabled, host.nimby_locked), (False, False))
        await agent.end()
        await agent.start_again(machine={"nimby_mode": False})
        self.assertFalse(agent.cuebot.startups[4].host.nimby_enabled)
