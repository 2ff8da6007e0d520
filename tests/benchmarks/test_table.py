"""Tables and the page."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from benchmarks.document import document
from benchmarks.rows import TIMES, TITLES
from benchmarks.summary import Spread, summarise
from benchmarks.table import cell, figure, table
from tests.benchmarks.runs import failed, result, run_of, throughput


class FigureTests(SynchronousTestCase):
    """`figure` shows what counts of a number."""

    def test_digits(self) -> None:
        """Three digits, all those before the point, whole numbers whole."""
        shown = [figure(x) for x in (0.0123456, 1.2345, 12.345, 123.456, 12345.6, 7.0, 102400.0)]
        self.assertEqual(shown, ["0.0123", "1.23", "12.3", "123", "12346", "7", "102400"])


class CellTests(SynchronousTestCase):
    """`cell` shows a spread."""

    def test_none(self) -> None:
        """What wasn't measured is a dash."""
        self.assertEqual(cell(None, "ms"), "-")

    def test_spread(self) -> None:
        """The median has the unit; the ends follow if they differ from each other."""
        self.assertEqual(cell(Spread(2.0, 1.0, 3.5), "ms"), "2 ms (1 to 3.5)")
        self.assertEqual(cell(Spread(2.0, 2.0, 2.0)), "2")


class TableTests(SynchronousTestCase):
    """`table` makes Markdown."""

    def test_promised(self) -> None:
        """A promise stands with its verdict."""
        lines = summarise(throughput([400], [100]))
        rows = table(lines, ["openrqd", "classic"], targets=True).splitlines()
        self.assertEqual(rows[0], "| measure | openrqd | classic | ratio | promised | kept |")
        shown = f"| 400 frames/s | 100 frames/s | 4{TIMES} | ≥ 3{TIMES} | ✓ |"
        self.assertIn(shown, rows[2])

    def test_missed(self) -> None:
        """A missed promise can't be overlooked."""
        lines = summarise(throughput([200], [100]))
        self.assertIn("✗ missed", table(lines, ["openrqd", "classic"], targets=True))

    def test_columns(self) -> None:
        """Each row has as many cells as the head, the floor's among them."""
        run = run_of(
            result("latency", "openrqd", 0, {"launch_ms": {"p50": 4, "p95": 5}, "lost": 0}),
            result("latency", "floor", 0, {"launch_ms": {"p50": 1, "p95": 2}}),
        )
        rows = table(summarise(run), run.agents(), targets=False).splitlines()
        self.assertIn("floor", rows[0])
        self.assertEqual({row.count("|") for row in rows}, {6})


class DocumentTests(SynchronousTestCase):
    """`document` makes the page."""

    def test_promises_say_what_they_are_of(self) -> None:
        """Among the promises a row carries its measure's title."""
        page = document(throughput([400], [100]))
        self.assertIn("| Many frames at once: 500 x /bin/true", page)
        self.assertIn("### Many frames at once\n\n| measure |", page)

    def test_failures(self) -> None:
        """A round without figures is named, not left out."""
        page = document(run_of(failed("log", "classic", 2, "RuntimeError: full")))
        self.assertIn("- log, round 3, classic: RuntimeError: full", page)

    def test_titles(self) -> None:
        """A title that speaks of a size has that of the run."""
        page = document(run_of(result("log", "openrqd", 0, {"plain": {"mb_per_s": 500.0}})))
        self.assertIn("### A frame that writes 100 MB\n", page)
        self.assertNotIn("{", page)

    def test_machine(self) -> None:
        """The page says where and with what."""
        page = document(throughput([1], [1]))
        self.assertIn("2 cores, 4 GiB of memory, Linux 6.1, Python 3.11.2", page)
        self.assertIn("classic: opencue-rqd 1", page)

    def test_one_agent(self) -> None:
        """A run with one agent alone has a page as well."""
        results = [result(m, "classic", 0, {"rss_mib": 1.0}) for m in TITLES]
        self.assertIn("### Idle", document(run_of(*results, agents=("classic",))))
