"""Growth of threads."""

from __future__ import annotations

import math

from twisted.trial.unittest import SynchronousTestCase

from benchmarks.measures.threads import growth


class GrowthTests(SynchronousTestCase):
    """`growth` is what came on top of the threads without frames."""

    def test_most(self) -> None:
        """The most that there were at any level counts."""
        self.assertEqual(growth([20, 23, 21], complete=True), 3)
        self.assertEqual(growth([20, 18], complete=True), 0)

    def test_fewer_frames(self) -> None:
        """If not all frames ran, nothing is known of so many."""
        self.assertTrue(math.isnan(growth([20, 20], complete=False)))
