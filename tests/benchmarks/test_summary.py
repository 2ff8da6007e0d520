"""From rounds to lines."""

from __future__ import annotations

import math
from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from benchmarks.results import Result
from benchmarks.summary import Line, Spread, failures, short_measures, summarise
from tests.benchmarks.runs import again, failed, line_of, result, run_of, throughput

THROUGHPUT = "throughput"


class SummaryTests(SynchronousTestCase):
    """`summarise` makes a line of each row that was measured."""

    def test_spread(self) -> None:
        """A line has the median and the ends of the rounds."""
        line = line_of(throughput([300, 100, 200], [10, 10, 10]), "frames_per_s")
        self.assertEqual(line.spreads["openrqd"], Spread(200, 100, 300))

    def test_ratio(self) -> None:
        """The ratio is that of the medians; its ends are those of the rounds' own ratios."""
        line = line_of(throughput([100, 200, 300], [50, 40, 60]), "frames_per_s")
        self.assertEqual(line.ratio, Spread(4, 2, 5))

    def test_label_names_the_scale(self) -> None:
        """A label says how many frames the run had."""
        line = line_of(throughput([1], [1]), "frames_per_s")
        self.assertTrue(line.label.startswith("500 x /bin/true"))

    def test_warm_up_is_not_counted(self) -> None:
        """A round before the first leaves no trace."""
        run = run_of(
            result("startup", "openrqd", -1, {"to_answer_s": 9.0}),
            result("startup", "openrqd", 0, {"to_answer_s": 1.0}),
        )
        self.assertEqual(line_of(run, "to_answer_s").spreads["openrqd"], Spread(1, 1, 1))

    def test_one_agent(self) -> None:
        """With one agent there is no ratio, and no verdict on a promised one."""
        figures = {"idle": {"rss_mib": 40.0}}
        run = run_of(result("running", "classic", 0, figures), agents=("classic",))
        line = line_of(run, "idle.rss_mib")
        self.assertIsNone(line.ratio)
        self.assertIsNone(line.met)

    def test_classic_at_zero(self) -> None:
        """A ratio to nothing is none."""
        self.assertIsNone(line_of(throughput([1], [0]), "frames_per_s").ratio)

    def test_other_key(self) -> None:
        """What the classic agent has one way of doing stands beside each of ours."""
        run = run_of(
            result("startup", "openrqd", 0, {"to_answer_s": 3.0, "twistd_to_answer_s": 4.0}),
            result("startup", "classic", 0, {"to_answer_s": 2.0}),
        )
        self.assertEqual(line_of(run, "to_answer_s").ratio, Spread(1.5, 1.5, 1.5))
        self.assertEqual(line_of(run, "twistd_to_answer_s").ratio, Spread(2, 2, 2))

    def test_floor(self) -> None:
        """The floor stands beside the agents."""
        run = run_of(result("latency", "floor", 0, {"launch_ms": {"p50": 1.5}}))
        self.assertEqual(line_of(run, "launch_ms.p50").spreads["floor"].middle, 1.5)

    def test_unmeasured(self) -> None:
        """A row without a figure is left out, unless something was promised of it."""
        keys = [line.row.key for line in summarise(run_of(result("startup", "openrqd", 0, {})))]
        self.assertEqual(keys, ["to_answer_s", "twistd_to_answer_s"])

    def test_unasked(self) -> None:
        """Nothing is said of a measure that wasn't asked for."""
        self.assertEqual(
            {line.row.measure for line in summarise(throughput([1], [1]))}, {THROUGHPUT}
        )

    def test_failed_rounds(self) -> None:
        """A failed round gives no figure but a sentence; the others count."""
        run = run_of(
            failed("threads", "openrqd", 0, "StartError: no"),
            result("threads", "openrqd", 1, {"growth": 9}),
        )
        self.assertEqual(line_of(run, "growth").spreads["openrqd"], Spread(9, 9, 9))
        self.assertEqual(failures(run), ["threads, round 1, openrqd: StartError: no"])


class VerdictTests(SynchronousTestCase):
    """`Line.met` says whether a promise is kept."""

    def test_ratio(self) -> None:
        """Of a ratio the median counts: one bad round doesn't break the promise."""
        self.assertTrue(line_of(throughput([100, 400, 400], [90, 90, 90]), "frames_per_s").met)
        self.assertFalse(line_of(throughput([100, 300, 400], [90, 90, 90]), "frames_per_s").met)

    def test_value(self) -> None:
        """Of a figure of our own the median counts as well."""
        for values, kept in (([2.0, 2.0, 9.0], True), ([2.0, 9.0, 9.0], False)):
            rounds = enumerate(values)
            results = [result("loud", "openrqd", i, {"p95_by_idle": v}) for i, v in rounds]
            self.assertIs(line_of(run_of(*results), "p95_by_idle").met, kept)

    def test_each(self) -> None:
        """Where there is to be none the worst round counts: nothing may ever be left."""
        for leaks, kept in (((0, 0, -1), True), ((0, 0, 1), False)):
            rounds = enumerate(leaks)
            grown = [result("leak", "openrqd", i, {"grown": {"zombies": n}}) for i, n in rounds]
            self.assertIs(line_of(run_of(*grown), "grown.zombies").met, kept)

    def test_not_a_number(self) -> None:
        """A figure that couldn't be had keeps nothing."""
        self.assertIsNone(
            line_of(
                run_of(result("crowd", "openrqd", 0, {"rss_kib_per_frame": math.nan})),
                "rss_kib_per_frame",
            ).met
        )


class SecondTimeTests(SynchronousTestCase):
    """What falls short is measured once more before it counts."""

    def loud(self, first: float, *second: Result) -> Line:
        """The line of a row that had this figure at first."""
        run = run_of(result("loud", "openrqd", 0, {"p95_by_idle": first}), *second)
        return line_of(run, "p95_by_idle")

    def test_short(self) -> None:
        """What fell short, wasn't measured or failed is to be taken again."""
        run = run_of(
            result("loud", "openrqd", 0, {"p95_by_idle": 2.0, "logged_share": 1.0}),
            result("leak", "openrqd", 0, {}),
            result("log", "openrqd", 0, {"stamped": {"cpu_s": 2.0}}),
            failed("threads", "classic", 0, "no"),
        )
        self.assertEqual(short_measures(run), ["threads", "log", "leak"])

    def test_kept_the_second_time(self) -> None:
        """A row that is kept then is kept, and its figures are the second time's."""
        line = self.loud(9.0, again("loud", "openrqd", {"p95_by_idle": 2.0}))
        self.assertEqual((line.met, line.attempt), (True, 2))
        self.assertEqual(line.spreads["openrqd"].middle, 2.0)

    def test_missed_twice(self) -> None:
        """One that isn't is missed."""
        line = self.loud(9.0, again("loud", "openrqd", {"p95_by_idle": 4.0}))
        self.assertEqual((line.met, line.attempt), (False, 2))

    def test_kept_the_first_time(self) -> None:
        """One that was kept at first stays so, whatever another row's second time says of it."""
        line = self.loud(2.0, again("loud", "openrqd", {"p95_by_idle": 9.0}))
        self.assertEqual((line.met, line.attempt), (True, 1))

    def test_nothing_the_second_time(self) -> None:
        """If there are no figures the second time, the first ones stand, and miss."""
        line = self.loud(9.0, again("loud", "openrqd", {}))
        self.assertEqual((line.met, line.attempt), (False, 1))

    def test_failures(self) -> None:
        """A round that failed at first is forgiven if the second time went well."""
        first = failed("loud", "openrqd", 0, "no")
        well = again("loud", "openrqd", {"p95_by_idle": 2.0})
        self.assertEqual(failures(run_of(first, well)), [])
        badly = replace(first, attempt=2)
        self.assertEqual(failures(run_of(first, badly)), ["loud, round 1, openrqd: no"])
