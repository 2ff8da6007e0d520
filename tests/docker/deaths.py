"""Agents and engines that die or hang: a frame has its own end, and its whole log."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from tests.docker.case import DockerCase, answers, in_containers
from tests.integration.agent import Agent
from tests.integration.log_frames import until

_LINES = 40
_PRINTS = f"i=0; while [ $i -lt {_LINES} ]; do i=$((i+1)); echo line $i; sleep 0.1; done; exit 3"
_PRINTED = b"".join(b"line %d\n" % (number + 1) for number in range(_LINES))


class DeathTests(DockerCase):
    """Whoever dies."""

    @in_containers()
    async def test_agent_killed(self, agent: Agent) -> None:
        """A restarted agent goes on with the frames that run, and tells how the others ended."""
        gate = agent.gate()
        runs, ends = agent.launch(_PRINTS), agent.launch(f"echo up; read x <{gate.path}; exit 5")
        await runs.says(b"line 3")
        await ends.says(b"up")
        await agent.end(signal.SIGKILL)
        gate.open()
        await until(lambda: len(self.engine.ours()) == 2)
        await agent.start_again()
        self.assertEqual(await ends.ended(), (5, 0))
        self.assertEqual(await runs.ended(), (3, 0))
        self.assertEqual(runs.output, _PRINTED)

    @in_containers(clean=False)
    async def test_engine_killed(self, agent: Agent) -> None:
        """Frames go on without their engine, and end; new ones are refused until it is back."""
        gate = agent.gate()
        runs = agent.launch(_PRINTS)
        ends = agent.launch(f"echo up; read x <{gate.path}; exit 5")
        await runs.says(b"line 3")
        await ends.says(b"up")
        self.engine.kill()
        try:
            gate.open()
            self.assertEqual(await ends.ended(), (5, 0))
            await agent.end(signal.SIGKILL)
            await agent.start_again()
            self.assertEqual(await runs.ended(), (3, 0))
            self.assertEqual(runs.output, _PRINTED)
            await until(lambda: b"does not answer" in agent.log)
            self.assert_refused("UNAVAILABLE", agent.launch, "true")
        finally:
            self.engine.start()
        await answers(agent)
        self.assertEqual(await agent.launch("exit 6").ended(), (6, 0))

    @in_containers()
    async def test_both_killed(self, agent: Agent) -> None:
        """Both die at once, and come back one after the other: what runs is known by its record."""
        gates = [agent.gate() for _ in range(2)]
        ends, runs = (agent.launch(f"echo up; read x <{g.path}; echo on; exit 5") for g in gates)
        for frame in (ends, runs):
            await frame.says(b"up")
        self.engine.kill()
        agent.signal(signal.SIGKILL)
        await agent.exit()
        gates[0].open()
        try:
            await agent.start_again()
            self.assertEqual(await ends.ended(), (5, 0))
            self.assertEqual(agent.info(runs.id).frame_id, runs.id)
        finally:
            self.engine.start()
        await answers(agent)
        gates[1].open()
        self.assertEqual(await runs.ended(), (5, 0))
        self.assertEqual([ends.output, runs.output], [b"up\non\n"] * 2)

    @in_containers()
    async def test_forgotten(self, agent: Agent) -> None:
        """What an engine forgets, as it dies in the middle of a start, is known to run.

        Also where the agent died then, too, and had not noted as which process.
        """
        gate = agent.gate()
        frame = agent.launch(f"echo up; read x <{gate.path}; echo on; exit 5")
        await frame.says(b"up")
        await agent.end(signal.SIGKILL)
        self.engine.forget(self.container_of(frame))
        (record,) = Path(agent.state, "frames").glob("*.record")
        record.write_bytes(record.read_bytes().splitlines(keepends=True)[0])
        await agent.start_again()
        await answers(agent)
        await until(lambda: bool(agent.info(frame.id).max_rss))
        gate.open()
        self.assertEqual(await frame.ended(), (5, 0))
        self.assertEqual(frame.output, b"up\non\n")

    @in_containers()
    async def test_without_live_restore(self, agent: Agent) -> None:
        """With an engine that takes its containers with it, frames vanish, and their log says so.

        That they vanish is known without the engine; why is told by it, if it is back in time.
        """
        self.engine.restart(live_restore=False)
        try:
            await answers(agent)
            frame = agent.launch("echo up; sleep 900")
            await frame.says(b"up")
        finally:
            self.engine.restart(live_restore=True)
        self.assertEqual(await frame.ended(), (1, 19))
        self.assertIn("container", frame.footer_value("killMessage"))
        await answers(agent)
        self.assertEqual(await agent.launch("exit 6").ended(), (6, 0))


class HangTests(DockerCase):
    """An engine that takes calls and doesn't answer."""

    @in_containers(docker={"timeout": "2s"})
    async def test_at_start(self, agent: Agent) -> None:
        """What it does not start is told so, in time, and never starts."""
        self.engine.signal(signal.SIGSTOP)
        try:
            frame = agent.launch(f"touch {agent.temp}/started")
            self.assertEqual(await frame.ended(), (256, 0))
        finally:
            self.engine.signal(signal.SIGCONT)
        self.assertIn("can't be started", frame.footer_value("killMessage"))
        await until(lambda: not self.engine.ours())
        self.assertFalse(os.path.exists(f"{agent.temp}/started"))

    @in_containers(docker={"timeout": "2s"})
    async def test_while_frames_run(self, agent: Agent) -> None:
        """Frames end, and are killed, without it; their containers go when it answers again."""
        gate = agent.gate()
        ends = agent.launch(f"echo up; read x <{gate.path}; exit 5")
        killed = agent.launch("echo up; sleep 900")
        for frame in (ends, killed):
            await frame.says(b"up")
        self.engine.signal(signal.SIGSTOP)
        try:
            gate.open()
            agent.kill(killed.id)
            self.assertEqual(await ends.ended(), (5, 0))
            self.assertEqual(await killed.ended(), (1, 15))
            await until(lambda: b"does not answer" in agent.log)
        finally:
            self.engine.signal(signal.SIGCONT)
        await until(lambda: not self.engine.ours())
