"""Percentiles and distributions."""

from __future__ import annotations

import math

from twisted.trial.unittest import SynchronousTestCase

from benchmarks.figures import distribution, median, percentile


class PercentileTests(SynchronousTestCase):
    """`percentile` is linear between the closest ranks."""

    def test_of_nothing(self) -> None:
        """Nothing has no percentile."""
        self.assertTrue(math.isnan(percentile([], 50)))

    def test_of_one(self) -> None:
        """One value is every percentile."""
        self.assertEqual([percentile([7], p) for p in (0, 50, 100)], [7, 7, 7])

    def test_unsorted(self) -> None:
        """The order of the values doesn't matter, and they stay as they are."""
        values = [3.0, 1.0, 2.0]
        self.assertEqual(percentile(values, 50), 2)
        self.assertEqual(values, [3.0, 1.0, 2.0])

    def test_between_ranks(self) -> None:
        """Between two values the way is shared."""
        self.assertAlmostEqual(percentile([0, 10], 95), 9.5)
        self.assertEqual(median([1, 2, 3, 4]), 2.5)


class DistributionTests(SynchronousTestCase):
    """`distribution` keeps the figures that tables use."""

    def test_of_nothing(self) -> None:
        """Of nothing only the number is kept."""
        self.assertEqual(distribution([]), {"n": 0})

    def test_of_values(self) -> None:
        """The ends, the mean and the percentiles are of all values, which may be a generator."""
        found = distribution(float(n) for n in range(101))
        self.assertEqual(
            found,
            {"n": 101, "min": 0, "p50": 50, "p95": 95, "p99": 99, "max": 100, "mean": 50},
        )
