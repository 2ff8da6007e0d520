"""Agents and engines that die, containers that others touch, requests that can't be done."""

from __future__ import annotations

import os
import signal
import subprocess

from twisted.internet import reactor
from twisted.internet.task import deferLater

from tests.docker.case import DockerCase, answers, in_containers
from tests.docker.engine import SMALL
from tests.integration.agent import Agent
from tests.integration.log_frames import until

_LINES = 40
_PRINTS = f"i=0; while [ $i -lt {_LINES} ]; do i=$((i+1)); echo line $i; sleep 0.1; done; exit 3"
_PRINTED = b"".join(b"line %d\n" % (number + 1) for number in range(_LINES))


class DeathTests(DockerCase):
    """Whoever dies, a frame has its own end, and its whole log."""

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

    @in_containers(docker={"timeout": "2s"})
    async def test_engine_hangs(self, agent: Agent) -> None:
        """What an engine that hangs does not start is told so, in time, and never starts."""
        self.engine.signal(signal.SIGSTOP)
        try:
            frame = agent.launch(f"touch {agent.temp}/started")
            self.assertEqual(await frame.ended(), (256, 0))
        finally:
            self.engine.signal(signal.SIGCONT)
        self.assertIn("can't be started", frame.footer_value("killMessage"))
        await until(lambda: not self.engine.ours())
        self.assertFalse(os.path.exists(f"{agent.temp}/started"))

    @in_containers()
    async def test_by_others(self, agent: Agent) -> None:
        """A container that others stop, kill or remove is told to have vanished, and why."""
        frames = [agent.launch("echo up; sleep 900") for _ in range(3)]
        for frame, how in zip(frames, (("stop", "-t0"), ("kill",), ("rm", "-f")), strict=True):
            await frame.says(b"up")
            (name,) = self.of(frame.id)
            self.engine.run(*how, name)
            self.assertEqual(await frame.ended(), (1, 19), how)
            self.assertIn("container", frame.footer_value("killMessage"))

    def of(self, frame_id: str) -> list[str]:
        """The names of a frame's containers."""
        label = f"label=openrqd.frame={frame_id}"
        return str(self.engine.run("ps", "-a", "--filter", label, "--format", "{{.Names}}")).split()

    @in_containers()
    async def test_leftovers(self, agent: Agent) -> None:
        """Containers of ours that are no frame's go at the start; those of others stay."""
        frame = agent.launch("echo up; sleep 900")
        await frame.says(b"up")
        (name,) = self.of(frame.id)
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

    @in_containers()
    async def test_kill_while_starting(self, agent: Agent) -> None:
        """A kill that comes while the engine starts the container ends the frame once."""
        frames = [agent.launch("sleep 900") for _ in range(4)]
        for number, frame in enumerate(frames):
            await deferLater(reactor, number * 0.1, lambda: None)  # any moment of a start
            agent.kill(frame.id, "early")
        for frame in frames:
            self.assertEqual(await frame.ended(), (1, 15))


class RequestTests(DockerCase):
    """What can't be done ends with a sentence in the log."""

    async def fails(self, agent: Agent, *words: str, **fields: object) -> None:
        """Such a frame ends with 256, and these words."""
        frame = agent.launch("echo unreachable", **fields)
        self.assertEqual(await frame.ended(), (256, 0))
        for word in words:
            self.assertIn(word, frame.footer_value("killMessage"))
        self.assertNotIn(b"unreachable", frame.output)

    @in_containers(runner={"docker_default_image": ""})
    async def test_unknown_system(self, agent: Agent) -> None:
        """An operating system without an image is told with those that have one."""
        await self.fails(agent, "'plan9'", "absent, larger, small", os="plan9")

    @in_containers()
    async def test_absent_image(self, agent: Agent) -> None:
        """An image that isn't there and may not be pulled."""
        await self.fails(agent, "openrqd-test/absent:1", "never", os="absent")

    @in_containers(
        docker={"pull": "missing"}, runner={"docker_images": {"far": "127.0.0.1:1/none:1"}}
    )
    async def test_registry(self, agent: Agent) -> None:
        """A registry that can't be reached; the launch call does not wait for it."""
        await self.fails(agent, "can't be pulled", "127.0.0.1:1", os="far")

    @in_containers(
        runner={"docker_mounts": [{"target": "/a", "source": "/nowhere/at all"}]},
    )
    async def test_mount(self, agent: Agent) -> None:
        """A mount whose source is missing."""
        await self.fails(agent, "/nowhere/at all")

    @in_containers(docker={"shell_path": "/bin/zsh"})
    async def test_shell(self, agent: Agent) -> None:
        """A shell that the image doesn't have."""
        await self.fails(agent, "the image has no /bin/zsh")

    @in_containers()
    async def test_command(self, agent: Agent) -> None:
        """A command that isn't there has its shell's status."""
        frame = agent.launch("no-such-renderer --frame 1")
        self.assertEqual(await frame.ended(), (127, 0))
        self.assertIn(b"no-such-renderer: not found", frame.output)


class CrowdTests(DockerCase):
    """Many at once."""

    timeout = 300

    @in_containers()
    async def test_fifty(self, agent: Agent) -> None:
        """Fifty containers at once cost no thread each; times are printed beside the engine's."""
        threads = _threads(agent)
        frames, calls = [], []
        for _ in range(50):
            before = reactor.seconds()
            frames.append(agent.launch("echo up; sleep 900"))
            calls.append(reactor.seconds() - before)
        for frame in frames:
            await frame.says(b"up")
        cpu, at = _cpu(agent), reactor.seconds()
        await deferLater(reactor, 10.0, lambda: None)  # some rounds of statistics
        used = (_cpu(agent) - cpu) / (reactor.seconds() - at)
        self.assertLessEqual(_threads(agent), threads + 12)
        before = reactor.seconds()
        bare = ["docker", "-H", self.engine.socket, "run", "--rm", "--init", "--network=host"]
        subprocess.run([*bare, SMALL, "true"], check=True)
        print(  # noqa: T201
            f"\nlaunch call p95 {sorted(calls)[47] * 1e3:.1f} ms; a bare docker run"
            f" {(reactor.seconds() - before) * 1e3:.0f} ms; agent's processor time per container"
            f" {used / 50:.5f}; threads {threads} before, {_threads(agent)} with 50"
        )
        for frame in frames:
            agent.kill(frame.id)
        for frame in frames:
            self.assertEqual(await frame.ended(), (1, 15))


def _threads(agent: Agent) -> int:
    return len(os.listdir(f"/proc/{agent.pid}/task"))


def _cpu(agent: Agent) -> float:
    with open(f"/proc/{agent.pid}/stat") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
