"""NIMBY on a real agent: a file says whether somebody uses the host."""

from __future__ import annotations

import os
from pathlib import Path

from rqd.proto import report_pb2
from tests.integration.agent import PATIENCE, Agent, AgentCase, on_agent
from tests.integration.log_frames import until

NIMBY = {"nimby_activity_file": "{folder}/activity", "monitor_interval": "1h"}
#: A user is gone at once.
SHORT = NIMBY | {"nimby_idle_threshold": "10ms"}
#: A user is never gone.
LONG = NIMBY | {"nimby_idle_threshold": "1h"}


def say(agent: Agent, word: str) -> None:
    """Put another file in the place of the one that is watched."""
    Path(agent.folder, "new").write_text(word)
    os.replace(f"{agent.folder}/new", f"{agent.folder}/activity")


def locked(report: report_pb2.HostReport) -> bool:
    return report.host.nimby_locked


class NimbyTests(AgentCase):
    """Activity, and what comes of it."""

    async def on(self, agent: Agent, word: str) -> None:
        say(agent, word)
        agent.call("NimbyOn")

    @on_agent(machine=SHORT)
    async def test_activity(self, agent: Agent) -> None:
        """Activity locks the host and ends its frames; they are told of by their own status."""
        await self.on(agent, "idle")
        frame = agent.launch("echo here; sleep 1000")
        other = agent.launch("echo here; sleep 1000", ignore_nimby=True)
        await frame.says(b"here")
        await other.says(b"here")
        say(agent, "active")
        report = await frame.end()
        self.assertEqual((report.exit_status, report.exit_signal), (286, 15))
        self.assertTrue(report.host.nimby_locked)
        self.assertIn("NIMBY", frame.footer_value("killMessage"))
        told = await agent.told(locked)
        self.assertTrue(told.host.nimby_enabled)
        self.assertEqual(told.core_info.locked_cores, 0)
        details = self.assert_refused("FAILED_PRECONDITION", agent.send, agent.request("true"))
        self.assertIn("NIMBY", details)
        self.assertEqual(await agent.launch("true", ignore_nimby=True).ended(), (0, 0))
        before = len(agent.cuebot.statuses)
        say(agent, "idle")
        await agent.told(lambda report: not locked(report), before)
        self.assertEqual(await agent.launch("true").ended(), (0, 0))
        self.assertEqual(agent.info(other.id).frame_id, other.id)
        agent.kill(other.id)
        self.assertEqual(await other.ended(), (1, 15))

    @on_agent(machine=LONG)
    async def test_success(self, agent: Agent) -> None:
        """A frame that succeeds although it was asked to end has succeeded."""
        await self.on(agent, "idle")
        frame = agent.launch("trap 'exit 0' TERM; echo here; while :; do sleep 0.01; done")
        failed = agent.launch("trap 'exit 5' TERM; echo here; while :; do sleep 0.01; done")
        await frame.says(b"here")
        await failed.says(b"here")
        say(agent, "active")
        self.assertEqual(await frame.ended(), (0, 0))
        self.assertEqual(await failed.ended(), (286, 0))

    @on_agent(machine=LONG)
    async def test_off(self, agent: Agent) -> None:
        """Switched off, NIMBY lifts its lock, and nothing locks the host any more."""
        await self.on(agent, "active")
        self.assertTrue(agent.report().host.nimby_locked)
        before = len(agent.cuebot.statuses)
        agent.call("NimbyOff")
        host = (await agent.told(lambda report: not locked(report), before)).host
        self.assertFalse(host.nimby_enabled)
        self.assertEqual(await agent.launch("true").ended(), (0, 0))
        agent.call("NimbyOff")
        agent.call("NimbyOn")
        self.assertTrue(agent.report().host.nimby_locked)
        agent.call("NimbyOn")

    @on_agent(machine=LONG)
    async def test_locks_by_hand(self, agent: Agent) -> None:
        """Locks by hand and NIMBY's are two things: UnlockAll leaves NIMBY's alone."""
        await self.on(agent, "active")
        agent.lock(100)
        agent.call("UnlockAll")
        report = agent.report()
        self.assertEqual((report.host.nimby_locked, report.core_info.locked_cores), (True, 0))

    @on_agent()
    async def test_nothing_to_detect(self, agent: Agent) -> None:
        """Without anything that could notice a user, NIMBY can't be switched on."""
        details = self.assert_refused("FAILED_PRECONDITION", agent.call, "NimbyOn")
        self.assertIn("machine.nimby_activity_file is not set", details)
        self.assertFalse(agent.report().host.nimby_enabled)
        agent.call("NimbyOff")

    @on_agent(machine=NIMBY)
    async def test_bad_file(self, agent: Agent) -> None:
        """Neither with a file that isn't there, says something else, or can't be read at all."""
        path = Path(agent.folder, "activity")
        for make in (lambda: None, lambda: path.write_text("maybe"), lambda: os.mkfifo(path)):
            make()
            details = self.assert_refused("FAILED_PRECONDITION", agent.call, "NimbyOn")
            self.assertIn("activity", details)
            path.unlink(missing_ok=True)

    @on_agent(machine=LONG)
    async def test_file_in_trouble(self, agent: Agent) -> None:
        """What the file said last stands while it says nothing; that is one line in the log."""
        await self.on(agent, "idle")
        os.unlink(f"{agent.folder}/activity")
        await until(lambda: b"what it said last stands" in agent.log, PATIENCE)
        say(agent, "garbage")
        self.assertFalse(agent.report().host.nimby_locked)
        say(agent, "active")
        await agent.told(locked)
        self.assertEqual(agent.log.count(b"what it said last stands"), 1)

    @on_agent(machine=NIMBY | {"nimby_mode": True, "nimby_start_retry_interval": "50ms"})
    async def test_later(self, agent: Agent) -> None:
        """An agent that can't detect yet tries again, and says that NIMBY is on meanwhile."""
        await until(lambda: b"can't be detected" in agent.log, PATIENCE)
        self.assertTrue(agent.cuebot.startups[0].host.nimby_enabled)
        say(agent, "active")
        await agent.told(locked)


class LockedByDefaultTests(AgentCase):
    """``nimby_lock_by_default``."""

    @on_agent(machine=SHORT | {"nimby_mode": True, "nimby_lock_by_default": True})
    async def test_by_default(self, agent: Agent) -> None:
        """Such a host starts locked; a user has to come, and to go, before it takes frames."""
        self.assertTrue(agent.cuebot.startups[0].host.nimby_locked)
        await self.seen(agent, "idle")
        self.assertTrue(agent.report().host.nimby_locked)
        self.assert_refused("FAILED_PRECONDITION", agent.send, agent.request("true"))
        say(agent, "active")
        await until(lambda: b"locked: the user is active" in agent.log, PATIENCE)
        before = len(agent.cuebot.statuses)
        say(agent, "idle")
        await agent.told(lambda report: not locked(report), before)
        self.assertEqual(await agent.launch("true").ended(), (0, 0))
        await agent.end()
        await agent.start_again()
        self.assertFalse(agent.cuebot.startups[1].host.nimby_locked)

    async def seen(self, agent: Agent, word: str) -> None:
        """The agent, which tries to detect once every five minutes, detects this."""
        say(agent, word)
        agent.call("NimbyOn")
        await until(lambda: b"activity is detected from now on" in agent.log, PATIENCE)
