"""Many frames in containers under an agent, and an engine, that are killed again and again."""

from __future__ import annotations

import os
import signal
from collections import Counter
from random import Random

import grpc
from twisted.internet import reactor
from twisted.internet.task import deferLater

from tests.docker.case import DockerCase, answers, in_containers
from tests.integration.agent import Agent
from tests.integration.agent_process import PATIENCE
from tests.integration.launched import Launched
from tests.integration.log_frames import until

#: How many frames; how often the agent is killed, and the engine.
FRAMES = int(os.environ.get("OPENRQD_DOCKER_FRAMES") or 200)
AGENTS, ENGINES = FRAMES // 10, FRAMES // 40
_LINES = 30
#: How often a kill waits until all but the last of what was launched runs.
_MOSTLY = 0.9


class _Plan:
    """A frame, the end that it must have, and what it must have printed."""

    def __init__(self, number: int, chance: Random) -> None:
        self.status = chance.choice([0, 0, 0, 1, 7])
        self.lines = chance.randint(1, _LINES)
        pause = chance.choice([0, 0.02, 0.1])
        self.command = (
            f"i=0; while [ $i -lt {self.lines} ]; do i=$((i+1)); echo {number} $i; sleep {pause};"
            f" done; (setsid sleep 900 </dev/null >/dev/null 2>&1 &); exit {self.status}"
        )
        self.printed = b"".join(b"%d %d\n" % (number, line + 1) for line in range(self.lines))


class ChaosTests(DockerCase):
    """Each frame has one end, its own, and its whole log; nothing is left."""

    timeout = 900

    @in_containers(clean=False, docker={"timeout": "20s"})
    async def test_kills(self, agent: Agent) -> None:
        """Agents are killed at any moment, engines too, sometimes both."""
        chance = Random(8)
        plans = [_Plan(number, chance) for number in range(FRAMES)]
        waiting = list(enumerate(plans))
        frames: list[tuple[_Plan, Launched]] = []
        kills: Counter[str] = Counter()
        while waiting or kills["agent"] < AGENTS:
            before = len(frames)
            for _ in range(min(FRAMES // AGENTS, len(waiting))):
                self._launch(agent, waiting, frames)
            if chance.random() < _MOSTLY:
                for _, frame in frames[before:-1]:
                    await frame.says(b"\n", PATIENCE)
            await deferLater(reactor, chance.uniform(0.0, 0.5), lambda: None)
            if kills["engine"] < ENGINES and chance.random() < 0.3:
                self.engine.kill()
                kills["engine"] += 1
                if chance.random() < 0.5:
                    await self._kill(agent, kills)
                await deferLater(reactor, 0.3, lambda: None)
                self.engine.start()
            if kills["agent"] < AGENTS:
                await self._kill(agent, kills)
            await answers(agent)
        never = [await self._judge(plan, frame) for plan, frame in frames].count(False)
        print(  # noqa: T201
            f"\n{len(frames)} frames in containers under {kills['agent']} kills of the agent and"
            f" {kills['engine']} of the engine, each as it must be; {never} of them were about to"
            " be started then, and never were"
        )

    async def _judge(self, plan: _Plan, frame: Launched) -> bool:
        """See that it ended as it must; False if it was never started, as its agent died."""
        await until(
            lambda: b"Render Frame Completed" in frame.log and frame.completions(), PATIENCE
        )
        ends = {(end.exit_status, end.exit_signal) for end in frame.completions()}
        if ends == {(256, 0)}:
            self.assertEqual(frame.output, b"")
            return False
        self.assertEqual(ends, {(plan.status, 0)}, frame.log[-2000:])
        self.assertEqual(frame.output, plan.printed)
        return True

    def _launch(
        self,
        agent: Agent,
        waiting: list[tuple[int, _Plan]],
        frames: list[tuple[_Plan, Launched]],
    ) -> None:
        """One that is refused, as the engine is away, comes again later."""
        number, plan = waiting.pop()
        try:
            frames.append((plan, agent.launch(plan.command)))
        except grpc.RpcError as error:
            if error.code() is not grpc.StatusCode.UNAVAILABLE:
                raise
            waiting.append((number, plan))

    @staticmethod
    async def _kill(agent: Agent, kills: Counter[str]) -> None:
        kills["agent"] += 1
        await agent.end(signal.SIGKILL)
        await agent.start_again()
