"""The plan of a seed."""

from __future__ import annotations

from itertools import islice

from twisted.trial.unittest import SynchronousTestCase

from tests.chaos.options import options
from tests.chaos.schedule import Schedule
from tests.chaos.steps import Aim, targets


class ScheduleTests(SynchronousTestCase):
    """Frames, weather, faults and lives."""

    def test_seed(self) -> None:
        """The same seed is the same plan, another one is another."""
        for part in ("frames", "weather", "faults", "lives"):
            plans = [[*islice(getattr(Schedule(seed), part)(), 50)] for seed in (1, 1, 2)]
            self.assertEqual(plans[0], plans[1])
            self.assertNotEqual(plans[0], plans[2])

    def test_aims(self) -> None:
        """Every step at every moment is aimed at before one is aimed at again."""
        aims = [life.aim for life in islice(Schedule(3).lives(), 1000) if life.aim is not None]
        wanted = [(step.name, moment) for step, moment in targets()]
        first = [(aim.step, aim.moment) for aim in aims[: len(wanted)]]
        self.assertEqual(sorted(first), sorted(wanted))

    def test_aim_as_text(self) -> None:
        """An aim is handed to the agent as text."""
        aim = Aim("the log is made", "after", 7)
        self.assertEqual(Aim.parse(str(aim)), aim)

    def test_options(self) -> None:
        """By default a long run; the environment sets each part."""
        long = options({})
        self.assertEqual((long.seconds, long.frames, long.kills), (None, 10_000, 200))
        told = options({"OPENRQD_CHAOS_SEED": "5", "OPENRQD_CHAOS_SECONDS": "60"})
        self.assertEqual((told.seed, told.seconds), (5, 60.0))
