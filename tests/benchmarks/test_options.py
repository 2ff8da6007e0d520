"""The command line, and how often a measure is taken."""

from __future__ import annotations

import sys
from io import StringIO

from twisted.trial.unittest import SynchronousTestCase

from benchmarks.options import parse
from benchmarks.rows import TITLES
from benchmarks.run import rounds
from benchmarks.scale import ROUNDS, Rounds


class OptionsTests(SynchronousTestCase):
    """`parse` reads what was asked for."""

    def test_nothing(self) -> None:
        """Without a word all is measured, once more where it falls short, and written down."""
        options = parse([])
        self.assertEqual(options.measures, tuple(TITLES))
        self.assertTrue(options.again)
        self.assertTrue(options.write_docs)

    def test_look(self) -> None:
        """Some rounds of some tests are a look: nothing is measured twice, unless asked for."""
        options = parse(["--tests", "latency,log", "--rounds", "3", "--no-docs"])
        self.assertEqual(options.measures, ("latency", "log"))
        self.assertFalse(options.again)
        self.assertFalse(options.write_docs)
        self.assertTrue(parse(["--rounds", "3", "--again"]).again)
        self.assertFalse(parse(["--no-again"]).again)

    def test_unknown(self) -> None:
        """A test that there isn't is wrong usage."""
        self.patch(sys, "stderr", StringIO())
        self.assertRaises(SystemExit, parse, ["--tests", "speed"])


class RoundsTests(SynchronousTestCase):
    """`rounds` says how often openrqd and others are measured."""

    def of(self, measure: str, *arguments: str) -> Rounds:
        """The rounds of a measure with this command line."""
        return rounds(parse(arguments))(measure)

    def test_usual(self) -> None:
        """Each measure has its number."""
        self.assertEqual(self.of("scheduler"), ROUNDS["scheduler"])

    def test_asked(self) -> None:
        """A number that is asked for holds for all, but nobody takes part who usually doesn't."""
        self.assertEqual(self.of("latency", "--rounds", "3"), Rounds(3, 3))
        self.assertEqual(self.of("scheduler", "--rounds", "3"), Rounds(3, 1))
        self.assertEqual(self.of("crowd", "--rounds", "3"), Rounds(3, 0))

    def test_quick(self) -> None:
        """A quick run takes one of each."""
        self.assertEqual(self.of("latency", "--quick"), Rounds(1, 1))
