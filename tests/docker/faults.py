"""Containers that others touch, and starts that go wrong in the middle."""

from __future__ import annotations

import contextlib
import signal

from twisted.internet import reactor
from twisted.internet.task import deferLater

from tests.docker.case import DockerCase, engine, in_containers
from tests.docker.engine import SMALL
from tests.integration.agent import Agent
from tests.integration.log_frames import until

_SIZE = "60m"


class OthersTests(DockerCase):
    """What people do by hand."""

    @in_containers()
    async def test_by_others(self, agent: Agent) -> None:
        """A container that others stop, kill or remove is told to have vanished, and why."""
        frames = [agent.launch("echo up; sleep 900") for _ in range(3)]
        for frame, how in zip(frames, ("stop", "kill", "rm -f"), strict=True):
            await frame.says(b"up")
            self.engine.run(*how.split(), self.container_of(frame))
            self.assertEqual(await frame.ended(), (1, 19), how)
            self.assertIn("container", frame.footer_value("killMessage"))

    @in_containers(runner={"kill_monitor_timeout": "300ms"})
    async def test_paused(self, agent: Agent) -> None:
        """A container that others have paused goes on with nothing but its end, if that is due."""
        asked = agent.launch("trap 'echo asked; exit 4' TERM; echo up; while :; do sleep 0.1; done")
        forced = agent.launch("trap '' TERM; echo up; while :; do sleep 900; done")
        for frame in (asked, forced):
            await frame.says(b"up")
            self.engine.run("pause", self.container_of(frame))
        self.assertEqual(len(agent.report().frames), 2)
        for frame in (asked, forced):
            agent.kill(frame.id, "because")
        self.assertEqual(await asked.ended(), (4, 0))
        self.assertEqual(await forced.ended(), (1, 9))
        self.assertIn(b"asked\n", asked.output)

    @in_containers()
    async def test_paused_for_a_while(self, agent: Agent) -> None:
        """One that is paused, and goes on, ends as it would have."""
        gate = agent.gate()
        frame = agent.launch(f"echo up; read x <{gate.path}; echo on; exit 5")
        await frame.says(b"up")
        self.engine.run("pause", self.container_of(frame))
        gate.open()
        await agent.end(signal.SIGKILL)
        await agent.start_again()
        self.assertEqual(agent.info(frame.id).frame_id, frame.id)
        self.engine.run("unpause", self.container_of(frame))
        self.assertEqual(await frame.ended(), (5, 0))
        self.assertEqual(frame.output, b"up\non\n")

    @in_containers()
    async def test_leftovers(self, agent: Agent) -> None:
        """Containers of ours that are no frame's go at the start; those of others stay."""
        frame = agent.launch("echo up; sleep 900")
        await frame.says(b"up")
        name = self.container_of(frame)
        inspect = ("inspect", "--format", '{{index .Config.Labels "openrqd.agent"}}', name)
        label = f"openrqd.agent={str(self.engine.run(*inspect)).strip()}"
        await agent.end(signal.SIGKILL)
        common = ("run", "-d", "--network=host")
        self.engine.run(*common, "--name=left", "--label", label, SMALL, "sleep", "900")
        other = ("--label", "openrqd.agent=other", SMALL, "sleep", "900")
        self.engine.run(*common, "--name=others", *other)
        try:
            await agent.start_again()
            await until(lambda: "left" not in self.engine.containers())
            self.assertIn("others", self.engine.containers())
            self.assertIn(name, self.engine.containers())
            agent.kill(frame.id)
            await frame.end()
        finally:
            self.engine.run("rm", "-f", "others")


class StartTests(DockerCase):
    """Between the launch and the first line."""

    @in_containers(size=_SIZE)
    async def test_disk_full(self, agent: Agent) -> None:
        """What the engine has no room for could not be started; what runs goes on, and ends."""
        gate = agent.gate()
        runs = agent.launch(f"echo up; read x <{gate.path}; echo on; exit 5")
        await runs.says(b"up")
        filler = engine(_SIZE).data / "filler"
        with contextlib.suppress(OSError), open(filler, "wb", buffering=0) as file:
            while True:
                file.write(b"x" * 4096)
        try:
            frame = agent.launch("echo unreachable")
            self.assertEqual(await frame.ended(), (256, 0))
            self.assertIn("no space left", frame.footer_value("killMessage"))
            gate.open()
            self.assertEqual(await runs.ended(), (5, 0))
            self.assertEqual(runs.output, b"up\non\n")
        finally:
            filler.unlink()
        self.assertEqual(await agent.launch("exit 6").ended(), (6, 0))

    @in_containers()
    async def test_kill_while_starting(self, agent: Agent) -> None:
        """A kill that comes while the engine starts the container ends the frame once."""
        frames = [agent.launch("sleep 900") for _ in range(4)]
        for number, frame in enumerate(frames):
            await deferLater(reactor, number * 0.1, lambda: None)  # any moment of a start
            agent.kill(frame.id, "early")
        for frame in frames:
            self.assertEqual(await frame.ended(), (1, 15))
