"""What loud frames are to write."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from benchmarks.measures.loud import stamped_mb_per_s


class RateTests(SynchronousTestCase):
    """`stamped_mb_per_s` is what comes into the logs if no writer is held up."""

    def test_timestamps(self) -> None:
        """Each line of 100 bytes comes with the 11 of its timestamp."""
        self.assertAlmostEqual(stamped_mb_per_s(20), 222)
