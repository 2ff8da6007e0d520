"""Fifty containers at once; what that costs is printed, beside host frames and the engine."""

from __future__ import annotations

import os
from statistics import median

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from tests.docker.case import DockerCase, in_containers
from tests.docker.engine import SMALL
from tests.integration.agent import Agent
from tests.integration.launched import Launched
from tests.integration.log_frames import until

CROWD = 50
#: Seconds of statistics that are looked at, and that so many starts may take on a slow machine.
_WHILE, _STARTS = 10.0, 200.0
#: Threads that an agent may have more, however many containers there are.
_MORE_THREADS = 12


class CrowdTests(DockerCase):
    """Many at once."""

    timeout = 600

    @in_containers()
    async def test_fifty(self, agent: Agent) -> None:
        """Fifty containers at once cost no thread each."""
        threads = _threads(agent)
        single = [await _seconds_of_one(agent) for _ in range(5)]
        began = reactor.seconds()
        frames, calls = await _launched(agent)
        all_up = reactor.seconds() - began
        used = await _processor_time(agent)
        more = _threads(agent)
        await self.kill_all(agent, frames)
        host, host_calls = await self.on_host()
        print(  # noqa: T201
            f"\nlaunch call p95: {_p95(calls):.1f} ms in containers, {_p95(host_calls):.1f} ms on"
            f" the host\nfrom launch to report: {median(single):.2f} s, docker run:"
            f" {median(self.bare() for _ in range(5)):.2f} s; {CROWD} at once: {all_up:.1f} s\n"
            f"agent's processor time per frame that runs: {used * 1e3:.2f} ms/s in containers,"
            f" {host * 1e3:.2f} ms/s on the host\n"
            f"agent's threads: {threads} before, {more} with {CROWD} containers"
        )
        self.assertLessEqual(more, threads + _MORE_THREADS)

    async def on_host(self) -> tuple[float, list[float]]:
        """The same with frames of the host: processor time, and what the calls took."""
        agent = Agent()
        self.addCleanup(lambda: Deferred.fromCoroutine(agent.stop()))
        await agent.start()
        await _seconds_of_one(agent)
        frames, calls = await _launched(agent)
        used = await _processor_time(agent)
        await self.kill_all(agent, frames)
        return used, calls

    async def kill_all(self, agent: Agent, frames: list[Launched]) -> None:
        for frame in frames:
            agent.kill(frame.id)
        for frame in frames:
            await until(lambda frame=frame: bool(frame.completions()), _STARTS)
            self.assertEqual(await frame.ended(), (1, 15))

    def bare(self) -> float:
        """Seconds that a container takes which nobody looks after."""
        before = reactor.seconds()
        self.engine.run("run", "--rm", "--init", "--network=host", SMALL, "true")
        return reactor.seconds() - before


async def _launched(agent: Agent) -> tuple[list[Launched], list[float]]:
    """So many frames, once all of them run; what each call took, in milliseconds."""
    frames, calls = [], []
    for _ in range(CROWD):
        before = reactor.seconds()
        frames.append(agent.launch("echo up; sleep 900"))
        calls.append((reactor.seconds() - before) * 1e3)
    for frame in frames:
        await frame.says(b"up\n", _STARTS)
    return frames, calls


async def _seconds_of_one(agent: Agent) -> float:
    """From the launch to the report of a frame that does nothing."""
    before = reactor.seconds()
    await agent.launch("true").end()
    return reactor.seconds() - before


async def _processor_time(agent: Agent) -> float:
    """Of the agent for each frame, in seconds per second, over some rounds of statistics."""
    cpu, at = _cpu(agent), reactor.seconds()
    await deferLater(reactor, _WHILE, lambda: None)
    return (_cpu(agent) - cpu) / (reactor.seconds() - at) / CROWD


def _p95(values: list[float]) -> float:
    return sorted(values)[len(values) * 95 // 100]


def _threads(agent: Agent) -> int:
    return len(os.listdir(f"/proc/{agent.pid}/task"))


def _cpu(agent: Agent) -> float:
    with open(f"/proc/{agent.pid}/stat") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
