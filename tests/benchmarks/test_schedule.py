"""Who is measured when."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from benchmarks.agents import known_agents
from benchmarks.people import User
from benchmarks.scale import FULL, Rounds
from benchmarks.schedule import Step, steps, take
from benchmarks.session import Site

SITE = Site(FULL, User("nobody", 65534, 65534), Path("/nowhere"))


def in_order(measure: str, rounds: Rounds, turn: Any = lambda items: None) -> list[str]:
    """The steps of a measure, as they read."""
    agents = list(known_agents().values())
    return [str(step) for step in steps([measure], lambda _: rounds, agents, SITE, shuffle=turn)]


class StepsTests(SynchronousTestCase):
    """`steps` gives every side its turn in every round."""

    def test_sides(self) -> None:
        """The floor has its turn among the agents."""
        self.assertEqual(
            in_order("latency", Rounds(1, 1)),
            ["latency, round 1, floor", "latency, round 1, openrqd", "latency, round 1, classic"],
        )

    def test_any_order(self) -> None:
        """The order in a round is up to the shuffle, and the rounds stay in theirs."""
        said = in_order("throughput", Rounds(2, 2), lambda items: items.reverse())
        self.assertEqual(
            said,
            [
                "throughput, round 1, classic",
                "throughput, round 1, openrqd",
                "throughput, round 2, classic",
                "throughput, round 2, openrqd",
            ],
        )

    def test_warm_up(self) -> None:
        """A warm-up comes before the first round."""
        self.assertEqual(in_order("startup", Rounds(1, 0))[0], "startup, warm-up, floor")

    def test_fewer_rounds_of_others(self) -> None:
        """Other agents may take part in fewer rounds."""
        said = in_order("threads", Rounds(2, 1))
        self.assertEqual(
            said,
            ["threads, round 1, openrqd", "threads, round 1, classic", "threads, round 2, openrqd"],
        )

    def test_together(self) -> None:
        """A measure that takes all agents at once has one step a round."""
        self.assertEqual(
            in_order("running", Rounds(1, 1)),
            ["running, round 1, floor", "running, round 1, openrqd and classic"],
        )


class TakeTests(SynchronousTestCase):
    """`take` takes a step."""

    def test_figures_by_agent(self) -> None:
        """Each agent's figures become a result of its own."""
        step = Step("running", 0, ("a", "b"), lambda: {"a": {"x": 1}, "b": {"x": 2}})
        found = [(r.agent, r.figures, r.attempt) for r in take(step, 2)]
        self.assertEqual(found, [("a", {"x": 1}, 2), ("b", {"x": 2}, 2)])

    def test_failure(self) -> None:
        """A step that fails has failed for each of its agents, and says why."""

        def fail() -> dict[str, Any]:
            raise ValueError("no")

        results = take(Step("running", 0, ("a", "b"), fail))
        self.assertEqual(
            [(r.agent, r.error) for r in results], [(n, "ValueError: no") for n in "ab"]
        )
