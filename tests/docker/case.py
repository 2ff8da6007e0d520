"""Agents whose frames run in containers of a real engine."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import wraps
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred

from tests.docker.engine import LARGER, SMALL, Engine
from tests.integration.agent import Agent, AgentCase, Steps, on_agent
from tests.integration.log_frames import until

_engines: list[Engine] = []


def engine() -> Engine:
    """The engine of all tests of this process, started for the first."""
    if not _engines:
        started = Engine()
        started.prepare()
        _engines.append(started)
        reactor.addSystemEventTrigger("after", "shutdown", started.stop)
    return _engines[0]


class DockerCase(AgentCase):
    """Tests on agents of their own, see ``in_containers``."""

    timeout = 240

    @property
    def engine(self) -> Engine:
        return engine()


def in_containers(
    clean: bool = True, **settings: dict[str, Any]
) -> Callable[[Callable[[Any, Agent], Steps]], Any]:
    """``on_agent``, with frames in containers; no container may be left, nor a file of one.

    Not ``clean`` are those that kill an agent just after an end: that may be told twice.
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
                await nothing_left(agent)
            finally:
                if left := engine().ours():  # of a test that failed: others are to find nothing
                    engine().run("rm", "-f", *left, check=False)

        def prepare(_: AgentCase, agent: Agent) -> None:
            docker = {"retry_interval": "200ms", "pull": "never", "socket": engine().socket}
            agent.configure(docker={**docker, **settings.get("docker", {})})

        others = {name: values for name, values in settings.items() if name != "docker"}
        return on_agent(clean=clean, prepare=prepare, runner=runner, docker={}, **others)(steps)

    return decorate


async def answers(agent: Agent) -> None:
    """Wait until the agent knows its engine."""
    await until(lambda: b"container engine answers" in agent.log)


async def nothing_left(agent: Agent) -> None:
    """Wait until the engine has no container of any agent, and no file of one is there."""
    folder = f"{agent.state}/containers"
    chains = agent.remaining  # records and chain files go after the completion, too
    try:
        await until(lambda: not engine().ours() and not os.listdir(folder) and not chains())
    except AssertionError:
        left = [*engine().ours(), *os.listdir(folder), *chains()]
        raise AssertionError(f"left behind: {left}") from None
