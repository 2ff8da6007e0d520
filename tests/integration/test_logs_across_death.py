"""Agents that are killed at each step of a log; what the next ones make of it is byte-equal."""

from __future__ import annotations

import os
import random

from twisted.trial.unittest import SynchronousTestCase

from tests.integration.log_deaths import Agents, Case, texts
from tests.integration.traps import Death

#: The steps that must be among those at which agents died.
SPOOLED = {
    "open rqlog",
    "half writev rqlog",
    "writev rqlog",
    "close rqlog",
    "open checkpoint",
    "half pwrite checkpoint",
    "pread spool",
    "pwrite checkpoint",
    "punch spool",
    "close spool",
}
DIRECT = SPOOLED - {"pread spool", "punch spool", "close spool"}
#: Steps of a life, at most: a sweep that comes so far doesn't end.
MANY = 200


class AcrossDeathTests(SynchronousTestCase):
    """A folder for each history, one process that makes agents for all of them."""

    def setUp(self) -> None:
        self.agents = Agents()
        self.addCleanup(self.agents.stop)

    def case(self, kind: str, seed: str = "1") -> Case:
        return Case(self.agents, self.mktemp(), kind, texts(seed))

    def each_step(self, kind: str, deaths: int, steps: set[str], *, begun: bool = False) -> None:
        """Agents die at the first step, others at the second, and so on, amid long ones, too.

        In each history that many die at the same step of their lives.
        """
        died: set[str] = set()
        for step in range(1, MANY):
            found = self.history(kind, [Death(step)] * deaths, begun=begun)
            if any("write" in death for death in found):
                found += self.history(kind, [Death(step, half=True)] * deaths, begun=begun)
            if not found:
                break
            died.update(found)
        else:
            self.fail("no end")
        self.assertEqual(steps - died, set())

    def history(self, kind: str, deaths: list[Death], *, begun: bool) -> list[str]:
        """Agents die like that under one frame, whose log is whole then; at what they died."""
        case = self.case(kind)
        if begun:
            case.live(ends=False)
        for death in deaths:
            case.live(death)
        case.end()
        self.assertIsNone(case.complaint())
        return case.deaths

    def test_spooled(self) -> None:
        """An agent that is killed at any step of a log that is copied."""
        self.each_step("spooled", 1, SPOOLED)

    def test_remote(self) -> None:
        """So it is where errors are reported late."""
        self.each_step("remote", 1, SPOOLED)

    def test_direct(self) -> None:
        """An agent that is killed while it makes a log that the frame writes itself."""
        self.each_step("direct", 1, DIRECT)

    def test_direct_end(self) -> None:
        """Agents that are killed at any step of the end of such a log."""
        self.each_step("direct", 3, {"half writev rqlog", "writev rqlog"}, begun=True)

    def test_random(self) -> None:
        """Agents that die at any steps, up to ten in a row; the seed is told if it goes wrong."""
        seed = os.environ.get("SEED") or str(random.randrange(1 << 32))
        rng = random.Random(seed)
        for number in range(int(os.environ.get("HISTORIES", "20"))):
            case = self.case(rng.choice(("spooled", "remote", "direct")), f"{seed} {number}")
            for _ in range(rng.randrange(1, 10)):
                case.live(Death(rng.randrange(1, 26), rng.random() < 0.5))
            case.end()
            self.assertIsNone(case.complaint(), f"SEED={seed} history {number}")
