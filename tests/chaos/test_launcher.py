"""The launcher finds each step, and strikes there once."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.chaos import launcher, steps
from tests.chaos.steps import AFTER, BEFORE, HALF, STEPS, Aim, Step


def work(done: list[str], text: str) -> int:
    """Stands for a function of the agent."""
    done.append(text)
    return len(done)


def half(done: list[str], text: str) -> None:
    done.append(text[: len(text) // 2])


class Died(Exception):
    """In place of a SIGKILL."""


class StepTests(SynchronousTestCase):
    """The table."""

    def test_there(self) -> None:
        """Each step names a function that the agent has."""
        for step in STEPS.values():
            owner, name = launcher.place(step.place)
            self.assertTrue(callable(getattr(owner, name, None)), step)

    def test_halves(self) -> None:
        """Whoever can be struck half-way knows how to do a half."""
        for step in STEPS.values():
            self.assertEqual(step.half is not None, HALF in step.moments, step)

    def test_no_colons(self) -> None:
        """Names go into texts that are taken apart at colons."""
        self.assertNotIn(":", "".join(STEPS))


class ArmTests(SynchronousTestCase):
    """Where it strikes."""

    def strike(self, moment: str) -> list[str]:
        """What was done when the second call was struck."""
        step = Step("work", f"{__name__}:work", (BEFORE, HALF, AFTER), half=half)
        self.patch(steps, "STEPS", {"work": step})
        self.patch(launcher, "STEPS", {"work": step})
        module, name = launcher.place(step.place)
        self.patch(module, name, work)  # so that it is put back
        launcher.arm(Aim("work", moment, 2), self._die)
        done: list[str] = []
        self.assertEqual(module.work(done, "once"), 1)
        self.assertRaises(Died, module.work, done, "more")
        return done

    def _die(self) -> None:
        raise Died

    def test_before(self) -> None:
        self.assertEqual(self.strike(BEFORE), ["once"])

    def test_half(self) -> None:
        self.assertEqual(self.strike(HALF), ["once", "mo"])

    def test_after(self) -> None:
        self.assertEqual(self.strike(AFTER), ["once", "more"])
