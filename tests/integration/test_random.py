"""Random launches, kills, locks, NIMBY changes and questions, judged by a model of the contract.

``make random`` runs this for two minutes, the suite for a while. A seed is printed;
``OPENRQD_RANDOM_SEED`` sets it, ``OPENRQD_RANDOM_SECONDS`` the time.
"""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from random import Random, SystemRandom

from twisted.internet.threads import deferToThread

from tests.integration import remains
from tests.integration.activity import ACTIVITY_FILE
from tests.integration.agent import CORES, PATIENCE, Agent, AgentCase, on_agent
from tests.integration.contract_model import Call, Model
from tests.integration.footprint import BERTHS, POOLS, footprint
from tests.integration.log_frames import until
from tests.integration.random_farm import Farm, User, of_kill
from tests.integration.shut_in import shut_in

SECONDS = float(os.environ.get("OPENRQD_RANDOM_SECONDS", "20"))
SEED = int(os.environ.get("OPENRQD_RANDOM_SEED") or SystemRandom().randrange(1 << 32))

MACHINE = ACTIVITY_FILE | {"monitor_interval": "200ms", "nimby_idle_threshold": "100ms"}
#: The agent's own log would be long.
QUIET = {"level": "warn"}
#: Frames that don't listen are ended soon.
IMPATIENT = {"kill_monitor_timeout": "300ms"}


class Judge:
    """Confronts the model with all that the agent says, to clients and to Cuebot."""

    def __init__(self, agent: Agent) -> None:
        self.model = Model(CORES * 100)
        self._agent = agent
        self._completions = len(agent.cuebot.completions)
        self._statuses = len(agent.cuebot.statuses)

    def take_completions(self) -> None:
        new = self._agent.cuebot.completions[self._completions :]
        self._completions += len(new)
        for report in new:
            self.model.completed(report)

    def take_statuses(self) -> None:
        new = self._agent.cuebot.statuses[self._statuses :]
        self._statuses += len(new)
        for report in new:
            self.model.check_told(report)

    def look(self) -> None:
        """Between two rounds."""
        self.take_statuses()
        self.take_completions()
        self.model.check_still(self._agent.report())

    @property
    def reports(self) -> int:
        return self._statuses


class RandomTests(AgentCase):
    """Sixteen clients, a user, a Cuebot, and a real agent."""

    timeout = SECONDS + 120

    @on_agent(**shut_in(), machine=MACHINE, logging=QUIET, runner=IMPATIENT)
    async def test_random(self, agent: Agent) -> None:
        """Every answer is legal, every report is consistent, and in the end all is as it was."""
        await agent.launch("exit 3").end()
        await agent.nothing_left()
        before = footprint(agent.pid)
        sys.stdout.write(f"\n    OPENRQD_RANDOM_SEED={SEED} ")
        sys.stdout.flush()
        chance = Random(SEED)
        farm, judge = Farm(agent, chance), Judge(agent)
        user = User(agent, chance)
        try:
            answers = await deferToThread(self.play, farm, judge, user)
            user.sit(active=False)
            await deferToThread(self.end, farm, judge)
        finally:
            await deferToThread(farm.close)
        await agent.cuebot.wait_for(lambda _: self.all_ended(judge), PATIENCE)
        judge.look()
        self.assertEqual(agent.report().core_info.idle_cores, CORES * 100)
        await agent.nothing_left()
        await until(lambda: footprint(agent.pid).descriptors <= before.descriptors + BERTHS)
        await until(lambda: remains.frames(agent.pid) == [])
        self.assertLessEqual(footprint(agent.pid).threads, before.threads + POOLS)
        counts = {f"{name}:{code}": number for (name, code), number in sorted(answers.items())}
        told = f"{answers.total()} answers, {judge.reports} status reports"
        sys.stdout.write(f"{told}\n    {counts}\n    ")

    def play(self, farm: Farm, judge: Judge, user: User) -> Counter[tuple[str, str]]:
        """In a thread: rounds until the time is over."""
        answers: Counter[tuple[str, str]] = Counter()
        until = time.monotonic() + SECONDS
        while time.monotonic() < until:
            user.maybe_move()
            judge.model.nimby.user_active = user.active
            judge.take_completions()
            calls = farm.invent()
            farm.play(calls)
            judge.model.play(calls)
            judge.look()
            answers.update((call.method, call.code) for call in calls)
        return answers

    def end(self, farm: Farm, judge: Judge) -> None:
        """In a thread: lift all locks, end all frames."""
        judge.model.nimby.user_active = False
        frames = {launch.frame_id for launch in judge.model.unended.values()}
        calls = [Call(0, "NimbyOff"), Call(0, "UnlockAll"), *map(of_kill, sorted(frames))]
        farm.play(calls)
        judge.model.play(calls)

    def all_ended(self, judge: Judge) -> bool:
        judge.take_completions()
        return not judge.model.unended
