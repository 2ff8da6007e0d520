"""Agents whose frames run in containers of a real engine."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import wraps
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred

from tests.docker.engine import LARGER, SMALL, Engine, Podman
from tests.integration.agent import PATIENCE, Agent, AgentCase, Steps, on_agent
from tests.integration.launched import Launched
from tests.integration.log_frames import until

_KINDS = {"docker": Engine, "podman": Podman}
_engines: dict[str, Engine] = {}


def engine(size: str = "") -> Engine:
    """The engine of all tests of this process that want one of that size, started for the first."""
    if size not in _engines:
        started = _engines[size] = _KINDS[os.environ.get("OPENRQD_TEST_ENGINE", "docker")](
            size=size
        )
        reactor.addSystemEventTrigger("after", "shutdown", retire)
        started.prepare()
    return _engines[size]


def retire() -> None:
    """Stop them all; raises AssertionError if anything of one stays. Who needs one gets another."""
    while _engines:
        _engines.popitem()[1].stop()


class DockerCase(AgentCase):
    """Tests on agents of their own, see ``in_containers``."""

    timeout = 240

    @property
    def engine(self) -> Engine:
        return engine()

    def container_of(self, frame: Launched) -> str:
        """The name of a frame's container."""
        label = f"label=openrqd.frame={frame.id}"
        (name,) = str(
            self.engine.run("ps", "-a", "--filter", label, "--format", "{{.Names}}")
        ).split()
        return name


def in_containers(
    clean: bool = True, size: str = "", **settings: dict[str, Any]
) -> Callable[[Callable[[Any, Agent], Steps]], Any]:
    """``on_agent``, with frames in containers; no container may be left, nor a file of one.

    Not ``clean`` are those that kill an agent just after an end: that may be told twice. ``size``
    is that of the engine.
    """
    runner = {
        "run_on_docker": True,
        "docker_images": {"small": SMALL, "larger": LARGER, "absent": "openrqd-test/absent:1"},
        "docker_default_image": SMALL,
        "default_gid": 1000,
        "docker_mounts": [{"target": "{folder}", "source": "{folder}"}],
        **settings.pop("runner", {}),
    }

    def decorate(test: Callable[[Any, Agent], Steps]) -> Callable[[Any], Deferred[None]]:
        @wraps(test)
        async def steps(case: DockerCase, agent: Agent) -> None:
            await answers(agent)
            try:
                await test(case, agent)
                await nothing_left(agent, engine(size))
            finally:
                if left := engine(size).ours():  # of a test that failed: others are to find nothing
                    engine(size).run("rm", "-f", *left, check=False)

        def prepare(_: AgentCase, agent: Agent) -> None:
            docker = {"retry_interval": "200ms", "pull": "never", "socket": engine(size).socket}
            agent.configure(docker={**docker, **settings.get("docker", {})})

        others = {name: values for name, values in settings.items() if name != "docker"}
        return on_agent(clean=clean, prepare=prepare, runner=runner, docker={}, **others)(steps)

    return decorate


async def answers(agent: Agent) -> None:
    """Wait until the agent's engine answers, as far as it has noticed."""
    good, bad = b"container engine answers", b"container engine does not answer"
    await until(lambda: agent.log.rfind(good) > agent.log.rfind(bad))


async def reconfigured(agent: Agent, before: str = "", **changes: dict[str, Any]) -> None:
    """Start the agent anew with some settings changed; ``before`` as in ``AgentProcess.start``."""
    await agent.end()
    assert agent.channel is not None
    agent.channel.close()
    agent.configure(**changes)
    await agent.start(before)
    await answers(agent)


async def nothing_left(agent: Agent, used: Engine) -> None:
    """Wait until the engine has no container of any agent, and no file of one is there."""
    folder = f"{agent.state}/containers"
    chains = agent.remaining  # records and chain files go after the completion, too
    try:
        await until(lambda: not (used.ours() or os.listdir(folder) or chains()), PATIENCE)
    except AssertionError:
        left = [*used.ours(), *os.listdir(folder), *chains()]
        raise AssertionError(f"left behind: {left}") from None
