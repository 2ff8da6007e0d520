"""Rows and promises."""

from __future__ import annotations

import math

from twisted.trial.unittest import SynchronousTestCase

from benchmarks.rows import ROWS, TITLES
from benchmarks.scale import ROUNDS
from benchmarks.targets import NONE, at_most, ratio_at_least, ratio_at_most
from tests.benchmarks.runs import SCALE


class TargetTests(SynchronousTestCase):
    """A promise knows whether a figure keeps it, and how it reads."""

    def test_bounds(self) -> None:
        """The limit itself keeps the promise."""
        self.assertTrue(ratio_at_most(0.6).met(0.6))
        self.assertFalse(ratio_at_most(0.6).met(0.61))
        self.assertTrue(ratio_at_least(3).met(3))
        self.assertFalse(ratio_at_least(3).met(2.99))

    def test_nan(self) -> None:
        """What couldn't be measured keeps no promise."""
        self.assertFalse(ratio_at_most(1).met(math.nan))
        self.assertFalse(ratio_at_least(1).met(math.nan))

    def test_text(self) -> None:
        """A ratio reads as a factor, a value as a number."""
        self.assertEqual(str(ratio_at_most(0.65)), "≤ 0.65\N{MULTIPLICATION SIGN}")
        self.assertEqual(str(NONE), "≤ 0")
        self.assertEqual(str(at_most(1.1)), "≤ 1.1")


class RowTests(SynchronousTestCase):
    """The rows fit the measures."""

    def test_measures(self) -> None:
        """Each row is of a known measure, and each measure has rows and a number of rounds."""
        self.assertEqual({row.measure for row in ROWS}, set(TITLES))
        self.assertEqual(set(ROUNDS), set(TITLES))

    def test_unique(self) -> None:
        """No figure is shown twice."""
        keys = [(row.measure, row.key) for row in ROWS]
        self.assertEqual(len(keys), len(set(keys)))

    def test_ratio_needs_a_better(self) -> None:
        """A promise of a ratio is of a row that has one."""
        promised = [row for row in ROWS if row.target and row.target.of == "ratio"]
        self.assertTrue(promised)
        self.assertTrue(all(row.better for row in promised))

    def test_ratio_needs_the_other(self) -> None:
        """Where a ratio is promised, the other agent takes part in each of five rounds or more."""
        for row in ROWS:
            if row.target and row.target.of == "ratio":
                rounds = ROUNDS[row.measure]
                self.assertEqual(rounds.ours, rounds.others, row)
                self.assertGreaterEqual(rounds.ours, 5, row)

    def test_labels(self) -> None:
        """A label, a bar and a title name nothing but what a run's scale has."""
        for row in ROWS:
            row.label.format_map(SCALE)
            row.bar.format_map(SCALE)
        for title in TITLES.values():
            title.format(**SCALE, log_megabytes=100)
