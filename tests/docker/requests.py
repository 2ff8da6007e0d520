"""Requests that can't be done, and images that are fetched for those that can."""

from __future__ import annotations

import json
import socket
from pathlib import Path

from twisted.internet import reactor

from tests.docker.case import DockerCase, in_containers, reconfigured
from tests.docker.engine import SMALL
from tests.docker.registry import Registry
from tests.integration.agent import Agent

_LONG = 10_000_000


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
        """A registry that can't be reached."""
        await self.fails(agent, "can't be pulled", "127.0.0.1:1", os="far")

    @in_containers(docker={"pull": "missing", "pull_timeout": "1s"})
    async def test_silent_registry(self, agent: Agent) -> None:
        """A registry that never answers holds up nothing but the frame that needs it."""
        silent = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(silent.close)
        image = f"127.0.0.1:{silent.getsockname()[1]}/none:1"
        await reconfigured(agent, runner={"docker_images": {"far": image, "small": SMALL}})
        frame = agent.launch("true", os="far")
        self.assertEqual(await agent.launch("exit 7", os="small").ended(), (7, 0))
        self.assertEqual(await frame.ended(), (256, 0))
        self.assertIn("not there after 1 s", frame.footer_value("killMessage"))

    @in_containers(
        runner={"docker_mounts": [{"target": "/a", "source": "{folder}/no where"}]},
    )
    async def test_mount(self, agent: Agent) -> None:
        """A mount whose source is missing."""
        await self.fails(agent, f"{agent.folder}/no where")

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

    @in_containers()
    async def test_long_command(self, agent: Agent) -> None:
        """Ten megabytes of quotes of all kinds run as they are; too long is what is on the host."""
        filler = '# it\'s "quoted" `and` $(more)\n'
        command = f"{filler * (_LONG // len(filler))}\necho 'done' \"$((1+1))\"; exit 7"
        frame = agent.launch(command)
        self.assertEqual(await frame.ended(), (7, 0))
        self.assertEqual(frame.output, b"done 2\n")
        for code, length in (("INVALID_ARGUMENT", 2 * _LONG), ("RESOURCE_EXHAUSTED", 7 * _LONG)):
            self.assert_refused(code, agent.send, agent.request("#" * length))


class PullTests(DockerCase):
    """Images that are fetched from their registry."""

    async def serve(self, agent: Agent) -> tuple[Registry, str]:
        """A registry whose image the agent gives to frames of ``far``; the name of that image."""
        saved = f"{agent.folder}/image.tar"
        self.engine.run("save", "-o", saved, SMALL)
        registry = Registry(Path(saved), reactor=reactor)
        self.addCleanup(registry.stop)
        config = {"auths": {registry.address: {"auth": registry.credentials}}}
        Path(agent.folder, "config.json").write_text(json.dumps(config))
        image = f"{registry.address}/studio/tools:1"
        images = {"far": image, "none": f"{registry.address}/studio/tools:2"}
        await reconfigured(agent, "export DOCKER_CONFIG=$folder", runner={"docker_images": images})
        return registry, image

    @in_containers(docker={"pull": "missing"})
    async def test_missing(self, agent: Agent) -> None:
        """What is missing comes once, by the credentials of the usual place, told in each log."""
        registry, image = await self.serve(agent)
        try:
            frames = [agent.launch("echo here", os="far") for _ in range(3)]
            for frame in frames:
                self.assertEqual(await frame.ended(), (0, 0), frame.log)
                self.assertIn(b"openrqd: pulling image %s" % image.encode(), frame.output)
                self.assertTrue(frame.output.endswith(b"here\n"))
            self.assertEqual(await agent.launch("true", os="far").ended(), (0, 0))
            self.assertEqual(registry.pulls, 1)
            refused = agent.launch("true", os="none")
            self.assertEqual(await refused.ended(), (256, 0))
            self.assertIn("studio/tools:2", refused.footer_value("killMessage"))
        finally:
            self.engine.run("rmi", "-f", image, check=False)

    @in_containers(docker={"pull": "always"})
    async def test_always(self, agent: Agent) -> None:
        """What is here is asked for again, and used as it is where its registry is gone."""
        registry, image = await self.serve(agent)
        try:
            for _ in range(2):
                self.assertEqual(await agent.launch("true", os="far").ended(), (0, 0))
            self.assertEqual(registry.pulls, 2)
            await registry.stop()
            frame = agent.launch("true", os="far")
            self.assertEqual(await frame.ended(), (0, 0))
            self.assertIn(b"the one that is here is used", frame.output)
        finally:
            self.engine.run("rmi", "-f", image, check=False)
