"""Frames that no KILL ends, since a process of theirs hangs in the kernel, on a real agent."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from tests.integration import remains
from tests.integration.agent import Agent, AgentCase, on_agent, without_groups
from tests.integration.faultmount import FaultMount, lacking
from tests.integration.launched import Launched
from tests.integration.log_frames import until

#: A grace, and so also a limit for the KILL, that tests can wait for.
QUICK = {"kill_monitor_timeout": "200ms", "kill_monitor_interval": "20ms"}


def waits_for_storage(pid: int) -> bool:
    """Whether a thread of a process waits for FUSE. (It is in D state from its first signal on.)"""
    for thread in Path(f"/proc/{pid}/task").glob("*/wchan"):
        try:
            if thread.read_text() == "request_wait_answer":
                return True
        except OSError:  # it has ended
            continue
    return False


class HangingCase(AgentCase):
    """A storage that hangs, so that who writes to it is in D state, as on a dead NFS mount."""

    def setUp(self) -> None:
        if (reason := lacking()) is not None:
            self.skipTest(reason)
        self.mount = FaultMount(os.path.abspath(self.mktemp()))
        self.addCleanup(self.mount.stop)  # the last of all: nothing that hangs could be killed

    def storage_is_back(self) -> None:
        self.mount.fail()

    async def hangs(self, agent: Agent, command: str = "echo x > {out}") -> Launched:
        """A frame with a core of its own that hangs for as long as the storage does."""
        self.mount.fail("write hang")
        command = command.format(out=f"{self.mount.point}/out")
        frame = agent.launch(
            f"echo ready; {command}; sleep 300",
            num_cores=100,
            environment={"CUE_THREADABLE": "1"},
        )
        await frame.says(b"ready")
        await self.write_hangs(agent)
        return frame

    async def write_hangs(self, agent: Agent) -> None:
        """Wait until somebody writes: the file is made at once, so a second look meets no open."""
        for _ in range(2):
            await until(lambda: os.path.exists(f"{self.mount.real}/out"))
            await until(lambda: any(map(waits_for_storage, remains.processes(agent.folder))))
            await until(lambda: agent.report().host.name == "render042")

    def check_withheld(self, agent: Agent, frame: Launched) -> None:
        """Its core is nobody else's, the report says why, and the frame is unknown."""
        report = agent.report()
        cores = report.core_info
        self.assertEqual(cores.booked_cores, 100)
        self.assertEqual(
            cores.total_cores, cores.idle_cores + cores.locked_cores + cores.booked_cores
        )
        self.assertIn("100 core points of", report.host.attributes["withheld"])
        self.assertIn(frame.request.frame_name, report.host.attributes["withheld"])
        self.assertEqual(list(report.frames), [])
        self.assert_refused("NOT_FOUND", agent.info, frame.id)
        self.assert_refused("NOT_FOUND", agent.kill, frame.id)

    async def check_given_back(self, agent: Agent) -> None:
        """All is as if nothing had been, and Cuebot is told at once."""
        statuses = len(agent.cuebot.statuses)
        self.storage_is_back()
        told = await agent.told(lambda report: "withheld" not in report.host.attributes, statuses)
        self.assertEqual(told.core_info.booked_cores, 0)
        await until(lambda: b"gone, nothing is withheld any more" in agent.log)
        await until(lambda: not agent.remaining())


class UnkillableTests(HangingCase):
    """Frames that are killed in vain."""

    async def ends(self, agent: Agent, command: str = "echo x > {out}") -> None:
        try:
            frame = await self.hangs(agent, command)
            agent.kill(frame.id, "enough")
            self.assertEqual(await frame.ended(), (1, 9))
            self.assertIn("could be killed", frame.footer_value("remark"))
            self.assertEqual(frame.footer_value("killMessage"), "enough")
            self.check_withheld(agent, frame)
            await agent.told(lambda report: "withheld" in report.host.attributes)
            await until(lambda: b"processes can't be killed" in agent.log)
            other = agent.launch("echo hello", num_cores=100)
            self.assertEqual(await other.ended(), (0, 0))
            self.check_withheld(agent, frame)
            await self.check_given_back(agent)
        finally:
            self.storage_is_back()

    @on_agent(runner=QUICK)
    async def test_by_group(self, agent: Agent) -> None:
        """It is over after a limit and says why; its core comes back when it has died at last."""
        await self.ends(agent, "trap '' TERM; echo x > {out}")

    @without_groups(runner=QUICK)
    async def test_by_session(self, agent: Agent) -> None:
        """So it is without control groups."""
        await self.ends(agent, "trap '' TERM; echo x > {out}")

    @on_agent(runner=QUICK)
    async def test_thread(self, agent: Agent) -> None:
        """So it is where one thread of many hangs, and the process looks dead without it."""
        await self.ends(
            agent,
            "trap '' TERM; /usr/bin/python3 -c 'import threading;"
            ' threading.Thread(target=lambda: open("{out}", "w", 1).write("x\\n")).start()\'',
        )

    @on_agent(runner=QUICK)
    async def test_child(self, agent: Agent) -> None:
        """A frame that heard TERM keeps its own end; of its child, that hangs, it says the rest."""
        try:
            frame = await self.hangs(agent, "trap 'exit 12' TERM; echo x > {out} & wait")
            agent.kill(frame.id, "enough")
            self.assertEqual(await frame.ended(), (12, 0))
            self.assertIn("could be killed", frame.footer_value("remark"))
            self.check_withheld(agent, frame)
            await self.check_given_back(agent)
        finally:
            self.storage_is_back()

    @on_agent(runner=QUICK)
    async def test_left_behind(self, agent: Agent) -> None:
        """What a frame that ended well leaves hanging is told, and takes no core."""
        self.mount.fail("write hang")
        gate = agent.gate()
        try:
            out = f"{self.mount.point}/out"
            frame = agent.launch(f"echo x > {out} & read < {gate.path}", num_cores=100)
            await self.write_hangs(agent)
            gate.open()
            self.assertEqual(await frame.ended(), (0, 0))
            told = await agent.told(lambda report: "withheld" in report.host.attributes)
            self.assertTrue(told.host.attributes["withheld"].startswith("0 core points of"))
            self.assertEqual(told.core_info.booked_cores, 0)
            await self.check_given_back(agent)
        finally:
            self.storage_is_back()


class AgentEndTests(HangingCase):
    """What an agent that ends, and the next one, make of them."""

    async def ended(self, agent: Agent) -> Launched:
        frame = await self.hangs(agent)
        agent.kill(frame.id, "enough")
        await frame.end()
        self.check_withheld(agent, frame)
        return frame

    async def restart(self, agent: Agent) -> None:
        try:
            frame = await self.ended(agent)
            await agent.end(signal.SIGKILL)
            await agent.start_again()
            self.assertEqual(agent.cuebot.startups[1].core_info.booked_cores, 100)
            self.check_withheld(agent, frame)
            await until(lambda: len(frame.completions()) == 2)
            first, second = frame.completions()
            self.assertEqual(first, second)
            self.check_withheld(agent, frame)
            await self.check_given_back(agent)
        finally:
            self.storage_is_back()

    @on_agent(runner=QUICK, clean=False)
    async def test_restart(self, agent: Agent) -> None:
        """The next agent goes on to withhold its core, and reports the same end once more."""
        await self.restart(agent)

    @without_groups(runner=QUICK, clean=False)
    async def test_restart_by_session(self, agent: Agent) -> None:
        """So it is without control groups."""
        await self.restart(agent)

    @on_agent(runner={"kill_monitor_timeout": "3s"}, clean=False)
    async def test_killed_meanwhile(self, agent: Agent) -> None:
        """An agent that dies before the limit: the next one holds the core, then ends the frame."""
        try:
            frame = await self.hangs(agent, "trap '' TERM; echo x > {out}")
            agent.kill(frame.id, "enough")
            await until(lambda: b"frame asked to end" in agent.log)
            await until(lambda: len(remains.frames(agent.pid)) == 0)
            self.assertEqual(frame.completions(), [])
            await agent.end(signal.SIGKILL)
            await agent.start_again()
            self.assertEqual(agent.report().core_info.booked_cores, 100)
            self.assertEqual(await frame.ended(), (1, 9))
            self.check_withheld(agent, frame)
            await self.check_given_back(agent)
        finally:
            self.storage_is_back()

    @on_agent(runner=QUICK, clean=False)
    async def test_shutdown(self, agent: Agent) -> None:
        """ShutdownRqdNow ends all the same, with the completion delivered."""
        try:
            frame = await self.hangs(agent)
            agent.call("ShutdownRqdNow")
            self.assertEqual(await agent.exit(), 0)
            self.assertEqual(await frame.ended(), (1, 9))
        finally:
            self.storage_is_back()
