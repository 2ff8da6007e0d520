"""How frames end by themselves, on a real agent: as they ended, and with nothing left of them."""

from __future__ import annotations

import os

from tests.integration import remains
from tests.integration.agent import Agent, AgentCase, on_agent, root_only, without_groups
from tests.integration.farm import COMPLETION, hang
from tests.integration.log_frames import read, until

#: The kernel's signals but those that the C library keeps for itself.
SIGNALS = [number for number in range(1, 65) if number not in (32, 33)]
#: CHLD, CONT, URG, WINCH; and those that would stop a frame that had a terminal.
HARMLESS = {17, 18, 23, 28, 20, 21, 22}
STOP = 19


class EndTests(AgentCase):
    """Exit statuses and signals."""

    @on_agent()
    async def test_exit_status(self, agent: Agent) -> None:
        """Every exit status arrives as it is, but for a shell's way to say signal."""
        frames = [agent.launch(f"exit {status}") for status in range(256)]
        for status, frame in enumerate(frames):
            ended = (1, status - 128) if status - 128 in SIGNALS else (status, 0)
            self.assertEqual((await frame.ended()), ended, f"exit {status}")
            self.assertEqual(
                (frame.footer_value("exitStatus"), frame.footer_value("exitSignal")),
                (str(ended[0]), str(ended[1])),
            )
            self.assertEqual(frame.output, b"")

    @on_agent()
    async def test_shell_ended_by_a_signal(self, agent: Agent) -> None:
        """A signal that ends the frame's own shell is what is reported (bash ignores QUIT)."""
        numbers = [number for number in SIGNALS if number != STOP]
        frames = {number: agent.launch(f"kill -{number} $$; exit 7") for number in numbers}
        for number, frame in frames.items():
            ended = (7, 0) if number in HARMLESS | {3} else (1, number)
            self.assertEqual((await frame.ended()), ended, f"signal {number}")

    @on_agent()
    async def test_program_ended_by_a_signal(self, agent: Agent) -> None:
        """A program that a signal ended is reported as that, though a shell stands around it."""
        numbers = [number for number in SIGNALS if number != STOP]
        program = "sh -c 'kill -{} $$; exit 7'; exit $?"
        frames = {number: agent.launch(program.format(number)) for number in numbers}
        for number, frame in frames.items():
            ended = (7, 0) if number in HARMLESS else (1, number)
            self.assertEqual((await frame.ended()), ended, f"signal {number}")

    @on_agent()
    async def test_crash(self, agent: Agent) -> None:
        """139 after a crash under a shell is signal 11; 200 is just 200."""
        crashed = agent.launch("sh -c 'kill -SEGV $$' || exit 139")
        self.assertEqual((await crashed.ended()), (1, 11))
        self.assertEqual((await agent.launch("exit 200").ended()), (200, 0))

    @on_agent()
    async def test_kills_its_group(self, agent: Agent) -> None:
        """A frame that kills all of its process group ended by signal 9."""
        self.assertEqual((await agent.launch("sleep 60 & kill -9 0").ended()), (1, 9))

    @on_agent(runner={"desktop_mode": True})
    async def test_kills_its_group_behind_links(self, agent: Agent) -> None:
        """It is the same where programs stand between the agent and the frame."""
        self.assertEqual((await agent.launch("sleep 60 & kill -9 0").ended()), (1, 9))

    @on_agent()
    async def test_signals_its_group(self, agent: Agent) -> None:
        """TERM to its own process group ends the frame, and the end is known as just that."""
        self.assertEqual((await agent.launch("sleep 60 & kill -TERM 0; wait").ended()), (1, 15))

    @on_agent()
    async def test_times(self, agent: Agent) -> None:
        """Start and run time of a completion are those of the frame."""
        report = await agent.launch("true").end()
        configured = os.stat(f"{agent.folder}/rqd.yaml").st_mtime
        self.assertLess(abs(report.frame.start_time / 1000 - configured), 60)
        self.assertEqual(report.run_time, 0)
        self.assertEqual(report.host.name, "render042")
        self.assertEqual(report.frame.num_cores, 1)


class LeftoverTests(AgentCase):
    """What a frame leaves running is ended, and nobody waits for it."""

    @on_agent()
    async def test_holds_the_output(self, agent: Agent) -> None:
        """A grandchild that holds stdout open for a minute neither delays the end nor stays."""
        self.assertEqual((await agent.launch("sleep 60 & exit 3").ended()), (3, 0))

    @on_agent()
    async def test_ignores_signals(self, agent: Agent) -> None:
        """What is left is not asked, but killed."""
        command = "(trap '' TERM HUP INT; while :; do sleep 60; done) & exit 0"
        self.assertEqual((await agent.launch(command).ended()), (0, 0))

    @on_agent()
    async def test_stopped(self, agent: Agent) -> None:
        """A stopped process is ended like any other."""
        command = "sleep 60 & kill -STOP $!; exit 0"
        self.assertEqual((await agent.launch(command).ended()), (0, 0))

    @on_agent()
    async def test_escaped(self, agent: Agent) -> None:
        """A daemon in a session of its own, whose parents are dead, is found by its cgroup."""
        if remains.tree(agent.state) is None:
            root_only()
        frame = agent.launch("(setsid sh -c 'sleep 60 & sleep 60' &) ; exit 4")
        self.assertEqual((await frame.ended()), (4, 0))

    @on_agent()
    async def test_tree(self, agent: Agent) -> None:
        """Of a tree of processes whose root has ended nothing is left."""
        frame = agent.launch("f() { for i in 1 2 3; do sh -c 'sleep 60 & sleep 60' & done; }; f; f")
        self.assertEqual((await frame.ended()), (0, 0))

    @without_groups()
    async def test_without_groups(self, agent: Agent) -> None:
        """Without control groups the frame's session is ended, orphans included."""
        self.assertEqual(remains.groups(agent.state), [])
        frames = [
            agent.launch("sleep 60 & exit 3"),
            agent.launch("(sh -c \"trap '' TERM HUP; sleep 60; sleep 60\" &) ; exit 3"),
            agent.launch("for i in 1 2 3 4; do sh -c 'sleep 60 & sleep 60' & done; exit 3"),
        ]
        for frame in frames:
            self.assertEqual((await frame.ended()), (3, 0))


class StartTests(AgentCase):
    """Frames that could not be started: 256, with an explanation for people."""

    @on_agent(runner={"shell_path": "/nonexistent/bash"})
    async def test_no_shell(self, agent: Agent) -> None:
        """A shell that isn't there is named in the completion, the log and the agent's log."""
        frame = agent.launch("true")
        self.assertEqual((await frame.ended()), (256, 0))
        explanation = (await frame.end()).frame.attributes["explanation"]
        await until(lambda: b"could not be started" in agent.log)
        for text in (explanation, frame.footer.decode(), agent.log.decode()):
            self.assertIn("/nonexistent/bash", text)

    @on_agent(runner={"shell_path": "/nonexistent/bash", "desktop_mode": True})
    async def test_no_shell_behind_links(self, agent: Agent) -> None:
        """It is the same where programs stand between the agent and the shell."""
        frame = agent.launch("true")
        self.assertEqual((await frame.ended()), (256, 0))
        self.assertIn("/nonexistent/bash", (await frame.end()).frame.attributes["explanation"])

    @on_agent()
    async def test_command_not_found(self, agent: Agent) -> None:
        """A command that isn't there is the shell's own 127, not a start that failed."""
        frame = agent.launch("nonexistent-renderer --frame 1")
        self.assertEqual((await frame.ended()), (127, 0))
        self.assertIn(b"nonexistent-renderer", frame.output)

    @on_agent()
    async def test_log_folder(self, agent: Agent) -> None:
        """A log folder that can't be made is explained in the completion and the agent's log."""
        frame = agent.launch("true", log_dir="/proc/nobody/logs")
        self.assertEqual((await frame.ended()), (256, 0))
        explanation = (await frame.end()).frame.attributes["explanation"]
        await until(lambda: b"could not be started" in agent.log)
        for text in (explanation, agent.log.decode()):
            self.assertIn("/proc/nobody/logs", text)
            self.assertRegex(text, r"effective uid \d+")
            self.assertIn("proc", text)

    @on_agent()
    async def test_made_log_folder(self, agent: Agent) -> None:
        """A log folder that is only missing is made."""
        frame = agent.launch("echo here", log_dir=f"{agent.logs}/show/shot")
        self.assertEqual((await frame.printed()), b"here\n")


class LogTests(AgentCase):
    """What the log has to do with the end of a frame."""

    @on_agent()
    async def test_rotation(self, agent: Agent) -> None:
        """A frame that is launched again, its first end still unacknowledged, is another launch."""
        agent.cuebot.script(COMPLETION, hang)
        first = agent.launch("echo first; exit 1", frame_id="again", frame_name="0001-again")
        await agent.cuebot.wait_for(
            lambda cuebot: [k for k, _ in cuebot.attempts if k == COMPLETION]
        )
        second = agent.launch("echo second", frame_id="again", frame_name="0001-again")
        self.assertEqual((await second.ended()), (0, 0))
        self.assertEqual(first.completions(), [])
        agent.cuebot.release()
        self.assertEqual((await first.ended()), (1, 0))
        self.assertEqual(second.output, b"second\n")
        self.assertIn(b"first\n", read(second.log_path + ".1"))

    @on_agent(runner={"log_max_size": "1MB"})
    async def test_too_big(self, agent: Agent) -> None:
        """A log that grows over its limit ends the frame with 287."""
        frame = agent.launch("yes")
        self.assertEqual((await frame.ended()), (287, 15))
        self.assertIn("log_max_size", frame.footer_value("killMessage"))

    @on_agent(runner={"log_max_size": "1MB", "prepend_timestamp": False})
    async def test_too_big_without_timestamps(self, agent: Agent) -> None:
        """It is the same where the frame writes to the log itself."""
        self.assertEqual((await agent.launch("yes").ended()), (287, 15))

    @on_agent(
        runner={
            "log_exit_status_rules": [
                {"name": "licence", "regex": "no licence for \\w+", "exit_status": 299},
                {"name": "any", "regex": "licence", "exit_status": 298},
            ]
        }
    )
    async def test_rule(self, agent: Agent) -> None:
        """For a failure that the agent did not cause, the first rule that matches counts."""
        frame = agent.launch("echo no licence for render; exit 1")
        other = agent.launch("echo licence; exit 1")
        good = agent.launch("echo no licence for render")
        killed = agent.launch("echo no licence for render; sleep 60")
        self.assertEqual((await frame.ended()), (299, 0))
        self.assertIn("licence", frame.footer_value("remark"))
        self.assertEqual(frame.footer_value("exitStatus"), "299")
        self.assertEqual((await other.ended()), (298, 0))
        self.assertEqual((await good.ended()), (0, 0))
        await killed.says(b"no licence for render\n")
        agent.kill(killed.id)
        self.assertEqual((await killed.ended()), (1, 15))

    @on_agent()
    async def test_failure_names_all(self, agent: Agent) -> None:
        """The footer of a failure tells of the memory of all frames of the host."""
        gate = agent.gate()
        beside = agent.launch(f"read < {gate.path}", job_name="beside")
        frame = agent.launch("exit 1")
        await frame.end()
        self.assertIn(b"beside.", frame.footer)
        self.assertIn(b"(this frame)", frame.footer)
        gate.open()
        await beside.end()
        await until(lambda: b"Render Frame Completed" in beside.log)
