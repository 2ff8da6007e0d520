"""Frames that fork faster than anybody can look are ended all the same."""

from __future__ import annotations

import os
import subprocess
import sys

from twisted.trial.unittest import TestCase

from rqd.system import cgroups
from tests.integration import comets, remains
from tests.integration.agent import Agent, AgentCase, on_agent, root_only, without_groups
from tests.integration.launched import Launched
from tests.integration.log_frames import read, until
from tests.integration.own_groups import joining, new_group
from tests.logging.awaiting import awaited

QUICK = {"kill_monitor_timeout": "200ms", "kill_monitor_interval": "20ms"}
#: Seconds after which a bomb that nobody ends is over.
LONGEST = 20


def bomb(folder: str, *options: str, number: int = 4) -> list[str]:
    return [
        sys.executable,
        "-S",
        "-E",
        comets.__file__,
        folder,
        str(LONGEST),
        str(number),
        *options,
    ]


def generations(folder: str) -> int:
    """How many there were."""
    return int.from_bytes(read(f"{folder}/generations"), "little")


class BombTests(AgentCase):
    """On a real agent."""

    async def begin(self, agent: Agent, *options: str, then: str) -> Launched:
        """A frame in which a bomb goes off."""
        command = " ".join(bomb(agent.temp, *options))
        frame = agent.launch(f"trap '' TERM; {command} & echo ready; {then}")
        await frame.says(b"ready")
        await until(lambda: generations(agent.temp) > 10)
        return frame

    async def check_over(self, agent: Agent, frame: Launched) -> None:
        """It is over before it would be by itself, and when that is reported."""
        report = await frame.end()
        last = generations(agent.temp)
        self.assertLess(report.run_time, LONGEST)
        for _ in range(5):
            await agent.launch("true").end()
        self.assertEqual(generations(agent.temp), last)

    async def killed(self, agent: Agent, *options: str) -> None:
        frame = await self.begin(agent, *options, then="while :; do sleep 60; done")
        agent.kill(frame.id)
        await self.check_over(agent, frame)
        self.assertEqual(await frame.ended(), (1, 9))

    def need_groups(self, agent: Agent) -> None:
        if remains.tree(agent.state) is None:
            root_only()

    @on_agent(runner=QUICK)
    async def test_by_group(self, agent: Agent) -> None:
        """Where it has a control group."""
        self.need_groups(agent)
        await self.killed(agent)

    @on_agent(runner=QUICK)
    async def test_sessions(self, agent: Agent) -> None:
        """There also if each of its processes opens a session of its own."""
        self.need_groups(agent)
        await self.killed(agent, "setsid")

    @without_groups(runner=QUICK)
    async def test_by_session(self, agent: Agent) -> None:
        """Where it has none."""
        await self.killed(agent)

    @without_groups(runner=QUICK)
    async def test_heard_term(self, agent: Agent) -> None:
        """Where it has none, and what the frame itself makes of TERM is an end in order."""
        frame = await self.begin(agent, then="trap 'exit 5' TERM; while :; do sleep 0.01; done")
        agent.kill(frame.id)
        await self.check_over(agent, frame)
        self.assertEqual(await frame.ended(), (5, 0))


class OldKernelTests(TestCase):
    """A real control group of a kernel that can't kill all of one at once."""

    def setUp(self) -> None:
        self.group = new_group(self)
        self.folder = self.mktemp()
        os.mkdir(self.folder)

    @awaited
    async def test_kill_each(self) -> None:
        """One call ends what was there: it is frozen first. What came in between needs another."""
        program = bomb(self.folder, "setsid")
        with subprocess.Popen(joining(self.group, *program)):
            await until(lambda: generations(self.folder) > 10)

            def ended() -> bool:
                cgroups.kill_each(self.group)
                return not cgroups.is_populated(self.group)

            await until(ended, LONGEST / 2)
            last = generations(self.folder)
        await until(lambda: cgroups.remove(self.group))
        self.assertEqual(generations(self.folder), last)
