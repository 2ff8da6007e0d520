"""Reboots, shutdowns and restarts of a real agent, with stand-ins for the real commands."""

from __future__ import annotations

import base64
import struct
from pathlib import Path

from twisted.internet.defer import Deferred

from rqd.proto import host_pb2
from tests.integration.agent import CORES, PATIENCE, Agent, AgentCase, on_agent, state_of
from tests.integration.launched import Launched
from tests.integration.log_frames import until
from tests.logging.awaiting import awaited

#: One record of utmp: user process, pid 1, line, id, user, host.
_RECORD = struct.pack("hxxi32s4s32s256s52x", 7, 1, b":0", b":0", b"ada", b":0")
_LOGGED_IN = f"""
mount -t tmpfs none /run
echo {base64.b64encode(_RECORD).decode()} | base64 -d >/run/utmp
"""
TOTAL = CORES * 100
SELDOM = {"monitor_interval": "1h"}


class DepartureCase(AgentCase):
    """What departures have in common."""

    async def runs(self, agent: Agent, command: str = "sleep 1000") -> Launched:
        """A frame that runs."""
        frame = agent.launch(f"echo here; {command}")
        await frame.says(b"here")
        return frame

    def assert_takes_no_frames(self, agent: Agent, code: str = "FAILED_PRECONDITION") -> None:
        request = agent.request("true", ignore_nimby=True)
        self.assert_refused(code, agent.send, request)


class WhenIdleTests(DepartureCase):
    """What waits until no frame runs."""

    @on_agent(machine=SELDOM)
    async def test_reboot(self, agent: Agent) -> None:
        """A reboot waits for the last frame and for its report; no frame is taken meanwhile."""
        gate = agent.gate()
        frame = await self.runs(agent, f"read < {gate.path}")
        agent.call("RebootIdle")
        told = await agent.told(lambda report: state_of(report) == "REBOOT_WHEN_IDLE")
        self.assertEqual(told.core_info.locked_cores, TOTAL - told.core_info.booked_cores)
        self.assertEqual(told.host.attributes["whenIdle"], "reboot")
        self.assert_takes_no_frames(agent)
        self.assertFalse(agent.reboots.exists())
        gate.open()
        self.assertEqual(await frame.ended(), (0, 0))
        await agent.told(lambda report: state_of(report) == "REBOOTING")
        await until(agent.reboots.exists, PATIENCE)
        self.assert_takes_no_frames(agent)
        agent.call("UnlockAll")

    @on_agent(machine=SELDOM)
    async def test_cancelled(self, agent: Agent) -> None:
        """Unlock and UnlockAll call off what waits; the host takes frames again."""
        gate = agent.gate()
        for action in ("RebootIdle", "ShutdownRqdIdle", "RestartRqdIdle"):
            frame = await self.runs(agent, f"read < {gate.path}")
            agent.call(action)
            agent.call("UnlockAll")
            self.assertEqual(agent.report().core_info.locked_cores, 0)
            agent.call(action)
            self.assert_takes_no_frames(agent)
            agent.unlock(300)
            cores = agent.report().core_info
            self.assertEqual((cores.idle_cores, cores.locked_cores), (299, TOTAL - 300))
            self.assertNotIn("whenIdle", agent.report().host.attributes)
            self.assertEqual(agent.hardware_state, "UP")
            gate.open()
            self.assertEqual(await frame.ended(), (0, 0))
            agent.call("UnlockAll")
            self.assertEqual(await agent.launch("true").ended(), (0, 0))
        self.assertFalse(agent.reboots.exists() or agent.restarts.exists())

    @on_agent(machine=SELDOM)
    async def test_shutdown(self, agent: Agent) -> None:
        """A shutdown waits too, and then the agent ends as if it had been asked in order."""
        gate = agent.gate()
        frame = await self.runs(agent, f"read < {gate.path}")
        agent.call("ShutdownRqdIdle")
        await agent.told(lambda report: report.host.attributes["whenIdle"] == "shutdown")
        self.assert_takes_no_frames(agent)
        gate.open()
        self.assertEqual(await frame.ended(), (0, 0))
        await agent.told(lambda report: state_of(report) == "DOWN")
        self.assertEqual(await agent.exit(), 0)
        await agent.start_again()
        self.assertEqual(agent.cuebot.startups[1].core_info.idle_cores, TOTAL)

    @on_agent(machine=SELDOM)
    async def test_idle_already(self, agent: Agent) -> None:
        """On an idle host it happens at once, and the caller is answered all the same."""
        agent.call("ShutdownRqdIdle")
        self.assertEqual(await agent.exit(), 0)
        self.assertEqual(state_of(agent.cuebot.statuses[-1]), "DOWN")
        await agent.start_again()

    @on_agent(machine=SELDOM)
    async def test_restart(self, agent: Agent) -> None:
        """A restart waits, too."""
        gate = agent.gate()
        frame = await self.runs(agent, f"read < {gate.path}")
        agent.call("RestartRqdIdle")
        self.assertEqual(agent.report().host.attributes["whenIdle"], "restart")
        self.assertFalse(agent.restarts.exists())
        gate.open()
        self.assertEqual(await frame.ended(), (0, 0))
        await until(agent.restarts.exists, PATIENCE)
        self.assert_takes_no_frames(agent, "UNAVAILABLE")


class NowTests(DepartureCase):
    """What doesn't wait."""

    @on_agent(machine=SELDOM)
    async def test_reboot(self, agent: Agent) -> None:
        """Frames are killed and reported before the machine goes down."""
        frames = [await self.runs(agent) for _ in range(3)]
        agent.call("RebootNow")
        self.assert_takes_no_frames(agent)
        await until(agent.reboots.exists, PATIENCE)
        for frame in frames:
            self.assertEqual(len(frame.completions()), 1)
            self.assertEqual(await frame.ended(), (1, 15))
            self.assertIn("reboot", frame.footer_value("killMessage"))
            self.assertEqual((await frame.end()).host.state, host_pb2.REBOOTING)
        self.assertEqual(state_of(agent.cuebot.statuses[-1]), "REBOOTING")
        agent.call("RebootNow")
        agent.call("RebootIdle")
        for other in ("ShutdownRqdNow", "ShutdownRqdIdle", "RestartRqdNow", "RestartRqdIdle"):
            self.assert_refused("FAILED_PRECONDITION", agent.call, other)
        self.assertEqual(agent.reboots.read_text(), "reboot\n")

    @on_agent(machine=SELDOM)
    async def test_failed_reboot(self, agent: Agent) -> None:
        """A reboot that fails is an error in the log, and the host takes frames again."""
        Path(agent.folder, "reboot-fails").touch()
        agent.lock(100)
        for action in ("RebootNow", "RebootIdle"):
            before = len(agent.cuebot.statuses)
            agent.call(action)
            await agent.told(lambda report: state_of(report) == "REBOOTING", before)
            back = await agent.told(lambda report: state_of(report) == "UP", before + 1)
            self.assertEqual(back.core_info.locked_cores, 100)
            self.assertEqual(await agent.launch("true").ended(), (0, 0))
        self.assertIn(b"ended with 4: no reboot today", agent.log)

    @on_agent(machine=SELDOM)
    async def test_shutdown(self, agent: Agent) -> None:
        """Frames are killed and reported, then the agent ends."""
        frame = await self.runs(agent)
        agent.call("RebootIdle")
        agent.call("ShutdownRqdNow")
        self.assert_takes_no_frames(agent, "UNAVAILABLE")
        self.assertEqual(await frame.ended(), (1, 15))
        self.assertEqual(await agent.exit(), 0)
        self.assertFalse(agent.reboots.exists())
        await agent.start_again()
        self.assertEqual(agent.cuebot.startups[1].core_info.idle_cores, TOTAL)

    @on_agent(machine=SELDOM)
    async def test_restart(self, agent: Agent) -> None:
        """The command is run, and no frame is killed."""
        frame = await self.runs(agent)
        agent.call("RestartRqdNow")
        await until(agent.restarts.exists, PATIENCE)
        self.assert_takes_no_frames(agent, "UNAVAILABLE")
        self.assertEqual(agent.info(frame.id).frame_id, frame.id)
        agent.kill(frame.id)
        self.assertEqual(await frame.ended(), (1, 15))

    @on_agent(
        machine={"restart_command": ["{folder}/stand-in-supervisor"]},
        before="printf '#!/bin/sh\\nkill $PPID\\n' >$folder/stand-in-supervisor\n"
        "chmod +x $folder/stand-in-supervisor",
        clean=False,
    )
    async def test_real_restart(self, agent: Agent) -> None:
        """A command that ends the agent, for whoever starts it again: frames go on."""
        gate = agent.gate()
        frame = await self.runs(agent, f"read < {gate.path}; echo there")
        agent.call("RestartRqdNow")
        self.assertEqual(await agent.exit(), 0)
        await agent.start_again()
        self.assertEqual(frame.completions(), [])
        gate.open()
        self.assertEqual(await frame.ended(), (0, 0))
        self.assertIn(b"there\n", frame.output)

    @on_agent(machine=SELDOM)
    async def test_failed_restart(self, agent: Agent) -> None:
        """A restart that fails is an error in the log, and frames are taken again."""
        Path(agent.folder, "restart-fails").touch()
        agent.call("RestartRqdNow")
        await until(lambda: b"no restart today" in agent.log, PATIENCE)
        self.assertEqual(await agent.launch("true").ended(), (0, 0))


class PossibilityTests(DepartureCase):
    """What can't be done here, or not now."""

    @on_agent(machine={"reboot_command": None, "restart_command": None})
    async def test_nothing_to_do_it(self, agent: Agent) -> None:
        """Where nothing could reboot or start the agent again, the calls are refused."""
        for method in ("RebootNow", "RebootIdle"):
            details = self.assert_refused("FAILED_PRECONDITION", agent.call, method)
            self.assertIn("machine.reboot_command", details)
        for method in ("RestartRqdNow", "RestartRqdIdle"):
            details = self.assert_refused("FAILED_PRECONDITION", agent.call, method)
            self.assertIn("machine.restart_command", details)
        self.assertEqual(await agent.launch("true").ended(), (0, 0))

    @on_agent(machine={"nimby_activity_file": "{folder}/activity"})
    async def test_active_user(self, agent: Agent) -> None:
        """While NIMBY sees a user, nothing reboots under their hands."""
        Path(agent.folder, "activity").write_text("active")
        agent.call("NimbyOn")
        self.assert_refused("FAILED_PRECONDITION", agent.call, "RebootNow")
        agent.call("RebootIdle")
        await until(lambda: b"its user is active" in agent.log, PATIENCE)
        self.assertEqual(agent.hardware_state, "REBOOT_WHEN_IDLE")
        agent.call("NimbyOff")
        agent.call("RebootNow")
        await until(agent.reboots.exists, PATIENCE)

    @on_agent(before=_LOGGED_IN, mounts=True)
    async def test_logged_in_user(self, agent: Agent) -> None:
        """RebootNow is refused while somebody is logged in at the display; RebootIdle waits."""
        details = self.assert_refused("FAILED_PRECONDITION", agent.call, "RebootNow")
        self.assertIn("ada on :0", details)
        self.assertEqual(agent.hardware_state, "UP")
        agent.call("RebootIdle")
        await until(lambda: b"not yet: ['ada on :0']" in agent.log, PATIENCE)
        self.assertFalse(agent.reboots.exists())
        Path(f"/proc/{agent.pid}/root/run/utmp").write_bytes(b"")
        agent.call("RebootNow")
        await until(agent.reboots.exists, PATIENCE)


class GuardTests(AgentCase):
    """No test reboots the machine that it runs on."""

    async def refused(self, **commands: list[str]) -> bytes:
        agent = Agent(machine=commands)
        self.addCleanup(lambda: Deferred.fromCoroutine(agent.stop()))
        try:
            await agent.start()
        except AssertionError:
            self.assertEqual(agent.status, 1)
            return agent.log
        raise AssertionError("an agent took the real thing")

    @awaited
    async def test_real_commands(self) -> None:
        """An agent that a test starts takes nothing but stand-ins, or doesn't start."""
        said = await self.refused(reboot_command=["systemctl", "reboot"])
        self.assertIn(b"machine.reboot_command is systemctl", said)
        said = await self.refused(restart_command=["/bin/true"])
        self.assertIn(b"machine.restart_command is /bin/true", said)

    @on_agent()
    async def test_every_agent(self, agent: Agent) -> None:
        """All agents of the suite have heard of it, and think that nobody supervises them."""
        environment = Path(f"/proc/{agent.pid}/environ").read_bytes().split(b"\0")
        self.assertIn(b"OPENRQD_STAND_INS_ONLY=1", environment)
        self.assertFalse([each for each in environment if each.startswith(b"INVOCATION_ID=")])
