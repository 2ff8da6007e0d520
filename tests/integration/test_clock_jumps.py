"""The date of a host is set while frames run: by a day, forward and back.

Where something must *not* happen after a jump, the tests wait for a few status reports: by then the
agent's timers have been looked at, and what a jump had set off would have happened.
"""

from __future__ import annotations

import time
from pathlib import Path

from tests.integration.agent import PATIENCE, Agent, AgentCase, on_agent
from tests.integration.clock import DAY, OWN_CLOCK, jump, needed
from tests.integration.farm import COMPLETION, FakeCuebot, hang
from tests.integration.launched import Gate, Launched
from tests.integration.log_frames import until

OFTEN = {"monitor_interval": "100ms"}
#: Seconds. No frame here takes as long.
LONG = 600
#: It ends once it is let through the gate.
IGNORES_TERM = "trap 'echo asked' TERM; echo ready; until read x; do :; done < {gate}"


class JumpCase(AgentCase):
    def setUp(self) -> None:
        needed()

    async def beats(self, agent: Agent, count: int = 5) -> None:
        """Wait for some more status reports."""
        wanted = len(agent.cuebot.statuses) + count
        await agent.cuebot.wait_for(lambda cuebot: len(cuebot.statuses) >= wanted, PATIENCE)


class FrameTests(JumpCase):
    """Frames that run while the date is set."""

    @on_agent(OWN_CLOCK, machine=OFTEN)
    async def test_frame_goes_on(self, agent: Agent) -> None:
        """Status reports keep their pace, and a frame its run time, whatever the date is."""
        gate = agent.gate()
        frame = agent.launch(f"echo before; read x < {gate.path}; echo after")
        await frame.says(b"before")
        for ahead in (DAY, -DAY, DAY, 0, -DAY):
            jump(agent, ahead)
            await self.beats(agent)
            self.assertEqual(agent.info(frame.id).frame_id, frame.id)
        gate.open()
        report = await frame.end()
        self.assertEqual((report.exit_status, report.exit_signal), (0, 0))
        self.assertLess(report.run_time, LONG)
        self.assertEqual(frame.output, b"before\nafter\n")
        self.assertLess(float(frame.footer_value("runTime")), LONG)

    @on_agent(OWN_CLOCK, machine=OFTEN)
    async def test_own_clock(self, agent: Agent) -> None:
        """The dates that are reported are those of the wall clock: the jumps reach the agent."""
        jump(agent, -DAY)
        report = await agent.launch("true").end()
        behind = time.time() - report.frame.start_time / 1000
        self.assertTrue(DAY <= behind < DAY + LONG, behind)

    @on_agent(OWN_CLOCK, machine=OFTEN)
    async def test_many_launches(self, agent: Agent) -> None:
        """A date that is set at any moment of a short life costs no launch and no completion."""
        frames = []
        for number in range(60):
            jump(agent, DAY if number % 2 else -DAY)
            frames.append(agent.launch("true"))
        for frame in frames:
            report = await frame.end()
            self.assertEqual((report.exit_status, report.exit_signal), (0, 0))
            self.assertLess(report.run_time, LONG)


class KillTests(JumpCase):
    """A kill ladder, in the middle of which the date is set."""

    async def asked(self, agent: Agent) -> tuple[Launched, Gate]:
        """A frame that was asked to end, and its gate."""
        gate = agent.gate()
        frame = agent.launch(IGNORES_TERM.format(gate=gate.path))
        await frame.says(b"ready")
        agent.kill(frame.id, "enough")
        await frame.says(b"asked")
        return frame, gate

    @on_agent(OWN_CLOCK, machine=OFTEN, runner={"kill_monitor_timeout": "1h"})
    async def test_forward(self, agent: Agent) -> None:
        """The grace of a frame isn't over because the date is set forward."""
        frame, gate = await self.asked(agent)
        jump(agent, DAY)
        await self.beats(agent)
        self.assertEqual(agent.info(frame.id).frame_id, frame.id)
        self.assertEqual(frame.completions(), [])
        gate.open()
        self.assertEqual(await frame.ended(), (0, 0))

    @on_agent(OWN_CLOCK, machine=OFTEN, runner={"kill_monitor_timeout": "500ms"})
    async def test_back(self, agent: Agent) -> None:
        """Nor does it last a day longer because the date is set back."""
        frame, _ = await self.asked(agent)
        jump(agent, -DAY)
        report = await frame.end()
        self.assertEqual((report.exit_status, report.exit_signal), (1, 9))
        self.assertLess(report.run_time, LONG)


class NimbyTests(JumpCase):
    """A workstation whose date is set."""

    ACTIVITY = OFTEN | {"nimby_activity_file": "{folder}/activity"}

    async def idle(self, agent: Agent) -> None:
        """A user was there, and has just gone."""
        activity = Path(agent.folder, "activity")
        activity.write_text("active")
        agent.call("NimbyOn")
        await agent.told(lambda report: report.host.nimby_locked)
        activity.write_text("idle")

    @on_agent(OWN_CLOCK, machine=ACTIVITY | {"nimby_idle_threshold": "1h"})
    async def test_forward(self, agent: Agent) -> None:
        """A user isn't gone for an hour because the date says so."""
        await self.idle(agent)
        jump(agent, DAY)
        await self.beats(agent, 10)
        self.assertTrue(agent.report().host.nimby_locked)

    @on_agent(OWN_CLOCK, machine=ACTIVITY | {"nimby_idle_threshold": "500ms"})
    async def test_back(self, agent: Agent) -> None:
        """Nor does a host stay locked for a day longer."""
        await self.idle(agent)
        jump(agent, -DAY)
        await until(lambda: not agent.report().host.nimby_locked, PATIENCE)


class ReportTests(JumpCase):
    """Reports that are on their way while the date is set."""

    @on_agent(OWN_CLOCK, machine={"monitor_interval": "1h", "frame_complete_send_timeout": "1s"})
    async def test_hanging_completion(self, agent: Agent) -> None:
        """A completion that hangs ends at its deadline and is sent again, whatever the date is."""
        for tried, ahead in ((1, -DAY), (3, DAY), (5, -2 * DAY)):
            agent.cuebot.script(COMPLETION, hang)
            frame = agent.launch("true")
            await agent.cuebot.wait_for(lambda cuebot, n=tried: completions_tried(cuebot) >= n)
            jump(agent, ahead)
            self.assertEqual(await frame.ended(), (0, 0))


def completions_tried(cuebot: FakeCuebot) -> int:
    return sum(kind == COMPLETION for kind, _ in cuebot.attempts)
