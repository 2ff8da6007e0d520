"""``cuerqd``, the classic agent's command-line client, unchanged against a real openrqd.

What one has to know of it (1.37): every command also locks and then unlocks the whole host, since
it takes "not given" for "given"; and two commands fail by themselves, whatever agent they talk to.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred

from tests.integration import activity
from tests.integration.activity import ACTIVITY_FILE
from tests.integration.agent import CORES, Agent, AgentCase, on_agent
from tests.integration.cuerqd import Cuerqd, Said, help_text
from tests.integration.log_frames import until
from tests.integration.shut_in import shut_in

TOTAL = CORES * 100


def against_agent() -> Callable[
    [Callable[[Any, Agent, Cuerqd], Any]], Callable[[Any], Deferred[None]]
]:
    """Run a test with an agent of its own that can do no harm, and a client for it."""

    def decorate(test: Callable[[Any, Agent, Cuerqd], Any]) -> Callable[[Any], Deferred[None]]:
        @on_agent(**shut_in(), clean=False, machine=ACTIVITY_FILE)
        @wraps(test)
        async def run(case: Any, agent: Agent) -> None:
            activity.tell(agent, "idle")
            await test(case, agent, Cuerqd(agent))

        return run

    return decorate


class CuerqdTests(AgentCase):
    """Each command works, or fails with openrqd's readable sentence."""

    def assert_works(self, said: Said, out: str = "") -> None:
        self.assertEqual(said.status, 0, said)
        self.assertIn(out, said.out)
        self.assertNotIn("Traceback", said.err)

    def assert_sentence(self, said: Said, code: str, sentence: str) -> None:
        """The client shows the status and the sentence, among a lot of its own."""
        self.assertNotEqual(said.status, 0, said)
        self.assertIn(f"StatusCode.{code}", said.err)
        self.assertIn(sentence, said.err)

    def locked(self, agent: Agent) -> int:
        return agent.report().core_info.locked_cores

    # -- the host ------------------------------------------------------------------------------

    @against_agent()
    async def test_status(self, agent: Agent, cuerqd: Cuerqd) -> None:
        """``-s`` prints the report of the host, and of the frames that run there.

        ``-v`` fails by itself: it looks for the host in the wrong message.
        """
        gate = agent.gate()
        frame = agent.launch(f"read < {gate.path}", num_cores=150)
        said = await cuerqd.run("-s")
        self.assert_works(said, 'name: "render042"')
        self.assertIn(f"total_cores: {TOTAL}", said.out)
        self.assertIn("booked_cores: 150", said.out)
        self.assertIn(f'frame_id: "{frame.id}"', said.out)
        gate.open()
        await frame.end()
        said = await cuerqd.run("-v")
        self.assertNotEqual(said.status, 0)
        self.assertIn("AttributeError", said.err)

    @against_agent()
    async def test_locks(self, agent: Agent, cuerqd: Cuerqd) -> None:
        """``--lp``, ``--ulp``, ``--lh`` and ``--ulh`` reach the agent, and so does what follows.

        The client locks and unlocks the host after each, so in the end nothing is locked. Tools
        that import it are spared that. A lock of less than nothing fails with a sentence.
        """
        for arguments, said_so in (
            (("--lp", "150", "50"), "127.0.0.1 Locking 150 cores\n127.0.0.1 Locking 50 cores"),
            (("--ulp", "100"), "127.0.0.1 Unlocking 100 cores"),
            (("--lh",), "127.0.0.1 Locking all cores"),
            (("--ulh",), "127.0.0.1 Unlocking all cores"),
        ):
            self.assert_works(await cuerqd.run(*arguments), said_so)
            self.assertEqual(self.locked(agent), 0)
        for call, locked in (
            ("lock('150')", 150),
            ("unlock('100')", 50),
            ("lockAll()", TOTAL),
            ("unlockAll()", 0),
        ):
            self.assert_works(await cuerqd.call(call))
            self.assertEqual(self.locked(agent), locked)
        said = await cuerqd.run("--lp=-100")
        self.assert_sentence(said, "INVALID_ARGUMENT", "negative number of core points (-100)")

    @against_agent()
    async def test_nimby(self, agent: Agent, cuerqd: Cuerqd) -> None:
        """``--nimbyon`` and ``--nimbyoff`` start and stop activity detection."""
        for argument, enabled in (("--nimbyon", True), ("--nimbyoff", False)):
            self.assert_works(await cuerqd.run(argument))
            self.assertEqual(agent.report().host.nimby_enabled, enabled)

    # -- frames --------------------------------------------------------------------------------

    @against_agent()
    async def test_frames(self, agent: Agent, cuerqd: Cuerqd) -> None:
        """``--getproxy`` prints a frame as it was launched; of an unknown one, a sentence.

        ``--kill`` asks for the frame, and then fails by itself: it calls its own stub wrongly, so
        the kill never leaves it, and the frame goes on.
        """
        gate = agent.gate()
        frame = agent.launch(f"read < {gate.path}; exit 3")
        self.assert_works(await cuerqd.run("--getproxy", frame.id), f'command: "read < {gate.path}')
        said = await cuerqd.run("--kill", frame.id)
        self.assertNotEqual(said.status, 0)
        self.assertIn("TypeError", said.err)
        gate.open()
        self.assertEqual((await frame.ended()), (3, 0))
        for argument in ("--getproxy", "--kill"):
            said = await cuerqd.run(argument, frame.id)
            self.assert_sentence(said, "NOT_FOUND", f"{frame.id!r} doesn't run here")

    @against_agent()
    async def test_test_frames(self, agent: Agent, cuerqd: Cuerqd) -> None:
        """The client's three test frames are taken, and end as their missing logs have it.

        Their folders are ``/mcp`` and ``/tmp``, where this agent can't write.
        """
        if not shut_in():
            self.skipTest("would write to /tmp and /mcp")
        for count, (argument, folder) in enumerate(
            (
                ("--test_edu_frame", "/mcp"),
                ("--test_script_frame", "/mcp"),
                ("--test_script_frame_mac", "/tmp"),
            )
        ):
            self.assert_works(await cuerqd.run(argument), "test frame")
            await agent.cuebot.wait_for(lambda cuebot, n=count: len(cuebot.completions) > n)
            report = agent.cuebot.completions[-1]
            self.assertEqual((report.exit_status, report.exit_signal), (256, 0))
            self.assertIn(folder, report.frame.attributes["explanation"])
            self.assertTrue(report.frame.frame_id.startswith("FD1S3I154O646UGSNN"))
        await agent.nothing_left()

    # -- ends ----------------------------------------------------------------------------------
    #
    # What reboots and restarts an agent under test only adds to a file in its folder.

    async def busy(self, agent: Agent) -> Any:
        """A frame that runs for as long as it is let."""
        frame = agent.launch("echo ready; exec sleep 1000")
        await frame.says(b"ready")
        return frame

    @against_agent()
    async def test_exit_now(self, agent: Agent, cuerqd: Cuerqd) -> None:
        """``--exit_now`` ends the frames, reports them, and ends the agent."""
        frame = await self.busy(agent)
        self.assert_works(
            await cuerqd.run("--exit_now"), "127.0.0.1 Sending shutdownRqdNow command"
        )
        self.assertEqual((await frame.ended()), (1, 15))
        self.assertEqual((await agent.exit()), 0)

    @against_agent()
    async def test_exit(self, agent: Agent, cuerqd: Cuerqd) -> None:
        """``--exit`` ends the agent once its last frame has ended."""
        frame = await self.busy(agent)
        self.assert_works(await cuerqd.run("--exit"), "Sending shutdownRqdIdle")
        self.assertEqual(agent.report().frames[0].frame_id, frame.id)
        agent.kill(frame.id)
        self.assertEqual((await agent.exit()), 0)

    @against_agent()
    async def test_unlock_cancels(self, agent: Agent, cuerqd: Cuerqd) -> None:
        """Any command after ``--exit`` takes it back, since it unlocks the host."""
        frame = await self.busy(agent)
        self.assert_works(await cuerqd.run("--exit"))
        self.assert_works(await cuerqd.run("--ulh"))
        agent.kill(frame.id)
        await frame.end()
        self.assertEqual((await agent.launch("exit 3").ended()), (3, 0))

    @against_agent()
    async def test_restart(self, agent: Agent, cuerqd: Cuerqd) -> None:
        """``--restart`` runs the restart command once no frame runs."""
        self.assert_works(await cuerqd.run("--restart"), "Sending restartRqdIdle")
        await until(Path(agent.folder, "restarts").exists)

    @against_agent()
    async def test_reboot(self, agent: Agent, cuerqd: Cuerqd) -> None:
        """``--reboot`` runs the reboot command once no frame runs."""
        frame = await self.busy(agent)
        self.assert_works(await cuerqd.run("--reboot"), "Sending rebootIdle command")
        self.assertFalse(os.path.exists(f"{agent.folder}/reboots"))
        agent.kill(frame.id)
        await until(Path(agent.folder, "reboots").exists)

    @against_agent()
    async def test_reboot_now(self, agent: Agent, cuerqd: Cuerqd) -> None:
        """``--reboot_now`` ends the frames and runs the reboot command."""
        frame = await self.busy(agent)
        self.assert_works(await cuerqd.run("--reboot_now"), "Sending rebootNow command")
        await frame.end()
        await until(Path(agent.folder, "reboots").exists)

    def test_all(self) -> None:
        """No command of the client is left out here, as far as it tells of them itself."""
        told = set(re.findall(r"(?m)^  (--?\w+)", help_text())) - {"-h"}
        driven = set(re.findall(r"\"(--?\w+)", Path(__file__).read_text()))
        self.assertEqual(told - driven, set())
        self.assertGreater(len(told), 15)
