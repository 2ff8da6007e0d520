"""From rounds to lines."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from benchmarks.summary import Line, Spread, failures, summarise
from tests.benchmarks.runs import failed, result, run_of, throughput


class SummaryTests(SynchronousTestCase):
    """`summarise` makes a line of each row that was measured."""

    def test_spread(self) -> None:
        """A line has the median and the ends of the rounds."""
        (line,) = summarise(throughput([300, 100, 200], [10, 10, 10]))
        self.assertEqual(line.spreads["openrqd"], Spread(200, 100, 300))

    def test_ratio(self) -> None:
        """The ratio is that of the medians; its ends are those of the rounds' own ratios."""
        (line,) = summarise(throughput([100, 200, 300], [50, 40, 60]))
        self.assertEqual(line.ratio, Spread(4, 2, 5))

    def test_label_names_the_scale(self) -> None:
        """A label says how many frames the run had."""
        (line,) = summarise(throughput([1], [1]))
        self.assertTrue(line.label.startswith("500 x /bin/true"))

    def test_warm_up_is_not_counted(self) -> None:
        """A round before the first leaves no trace."""
        run = run_of(
            result("startup", "openrqd", -1, {"to_answer_s": 9.0}),
            result("startup", "openrqd", 0, {"to_answer_s": 1.0}),
        )
        (line,) = summarise(run)
        self.assertEqual(line.spreads["openrqd"], Spread(1, 1, 1))

    def test_one_agent(self) -> None:
        """With one agent there is no ratio, and no verdict on a promised one."""
        run = run_of(result("idle", "classic", 0, {"rss_mib": 40.0}), agents=("classic",))
        (line,) = summarise(run)
        self.assertIsNone(line.ratio)
        self.assertIsNone(line.met)

    def test_classic_at_zero(self) -> None:
        """A ratio to nothing is none."""
        (line,) = summarise(throughput([1], [0]))
        self.assertIsNone(line.ratio)

    def test_floor(self) -> None:
        """The floor stands beside the agents."""
        run = run_of(result("latency", "floor", 0, {"launch_ms": {"p50": 1.5}}))
        (line,) = summarise(run)
        self.assertEqual(line.spreads["floor"].middle, 1.5)

    def test_failed_rounds(self) -> None:
        """A failed round gives no figure but a sentence; the others count."""
        run = run_of(
            failed("idle", "openrqd", 0, "StartError: no"),
            result("idle", "openrqd", 1, {"threads": 9}),
        )
        (line,) = summarise(run)
        self.assertEqual(line.spreads["openrqd"], Spread(9, 9, 9))
        self.assertEqual(failures(run), ["idle, round 1, openrqd: StartError: no"])


class VerdictTests(SynchronousTestCase):
    """`Line.met` says whether a promise is kept."""

    def line(self, *leaks: int) -> Line:
        """The line of zombies left in some rounds."""
        rounds = enumerate(leaks)
        run = run_of(*(result("leak", "openrqd", i, {"grown": {"zombies": n}}) for i, n in rounds))
        return summarise(run)[0]

    def test_ratio(self) -> None:
        """Of a ratio the median counts: one bad round doesn't break the promise."""
        self.assertTrue(summarise(throughput([100, 300, 300], [90, 90, 90]))[0].met)
        self.assertFalse(summarise(throughput([100, 200, 300], [90, 90, 90]))[0].met)

    def test_value(self) -> None:
        """Of a value the worst round counts: nothing may ever be left."""
        self.assertTrue(self.line(0, 0, -1).met)
        self.assertFalse(self.line(0, 0, 1).met)
