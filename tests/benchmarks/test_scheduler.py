"""What is read of a scheduler's last words."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from benchmarks.measures.scheduler import figures

SAID = """\
10:02:11 completion benchhost: test.0050-sleep exit 0
50 frames in 5.26 s: 49 as expected (9.3/s), 1 not as expected, 0 not run to the end
"""


class FiguresTests(SynchronousTestCase):
    """`figures` knows how many of the possible frames there were."""

    def test_summary(self) -> None:
        """The rate is of all frames by the seconds that the scheduler counted."""
        found = figures(SAID)
        self.assertAlmostEqual(found["frames_per_s"], 50 / 5.26)
        self.assertAlmostEqual(found["of_possible"], 50 / 52.6)
        self.assertEqual(found["wrong"], 1)

    def test_no_end(self) -> None:
        """A scheduler that didn't come to its end gives no figures but what it said last."""
        error = self.assertRaises(RuntimeError, figures, "no agent to run on\n")
        self.assertIn("no agent to run on", str(error))
