"""Tables and the page."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from benchmarks.document import NOTES_BEGIN, NOTES_END, document, notes_of
from benchmarks.rows import TITLES
from benchmarks.summary import Spread, summarise
from benchmarks.table import cell, figure, table, verdict
from benchmarks.targets import TIMES
from tests.benchmarks.runs import again, failed, line_of, result, run_of, throughput

HEADS = "| measure | openrqd | classic | ratio | target | Rust agent | verdict |"


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
        self.assertEqual(rows[0], HEADS)
        shown = f"| 400 frames/s | 100 frames/s | 4{TIMES} | ≥ 4{TIMES} | 1.5 | ✓ |"
        self.assertIn(shown, rows[2])

    def test_missed(self) -> None:
        """A missed promise can't be overlooked."""
        lines = summarise(throughput([200], [100]))
        self.assertIn("✗ missed |", table(lines, ["openrqd", "classic"], targets=True))

    def test_second_time(self) -> None:
        """A verdict says if it took a second time to come to it."""
        first = result("loud", "openrqd", 0, {"p95_by_idle": 9.0})
        for second, said in ((2.0, "✓ the second time"), (8.0, "✗ missed twice")):
            run = run_of(first, again("loud", "openrqd", {"p95_by_idle": second}))
            self.assertEqual(verdict(line_of(run, "p95_by_idle")), said)

    def test_not_measured(self) -> None:
        """What wasn't measured isn't called kept, nor left out."""
        lines = summarise(run_of(result("leak", "openrqd", 0, {})))
        rows = table(lines, ["openrqd", "classic"], targets=True).splitlines()[2:]
        self.assertTrue(rows)
        self.assertTrue(all(row.endswith("| ? not measured |") for row in rows))

    def test_unit_of_a_target(self) -> None:
        """A target that is of a value has its unit."""
        lines = summarise(run_of(result("log", "openrqd", 0, {"stamped": {"cpu_s": 0.5}})))
        self.assertIn("| ≤ 1 s | 2.8 s | ✓ |", table(lines, ["openrqd"], targets=True))

    def test_columns(self) -> None:
        """Each row has as many cells as the head, the floor's among them."""
        run = run_of(
            result("latency", "openrqd", 0, {"launch_ms": {"p50": 4, "p95": 5}, "lost": 0}),
            result("latency", "floor", 0, {"launch_ms": {"p50": 1, "p95": 2}}),
        )
        lines = [line for line in summarise(run) if line.spreads]
        rows = table(lines, run.agents(), targets=False).splitlines()
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
        results = [result(m, "classic", 0, {"idle": {"rss_mib": 1.0}}) for m in TITLES]
        self.assertIn("### While frames run", document(run_of(*results, agents=("classic",))))

    def test_twice(self) -> None:
        """A verdict is with the second time's figures, the list of all with the first's."""
        first = result("loud", "openrqd", 0, {"p95_by_idle": 9.25})
        page = document(run_of(first, again("loud", "openrqd", {"p95_by_idle": 2.75})))
        promised, measured = page.split("## Everything measured")
        self.assertIn("| 2.75 |", promised)
        self.assertIn("| 9.25 |", measured)
        self.assertNotIn("| 2.75 |", measured)

    def test_notes(self) -> None:
        """What was written by hand into a page is in the next one, to the letter."""
        page = document(throughput([1], [1]))
        self.assertIn("Nothing has been written here yet.", page)
        notes = "## Why\n\nBecause {of} | this."
        begin, end = page.index(NOTES_BEGIN) + len(NOTES_BEGIN), page.index(NOTES_END)
        written = f"{page[:begin]}\n\n{notes}\n\n{page[end:]}"
        newer = document(throughput([2], [2]), notes_of(written))
        self.assertEqual(notes_of(newer), notes)

    def test_no_place_for_notes(self) -> None:
        """A page without the marks, or with one of them, has no notes."""
        for page in ("", "# Benchmarks", NOTES_BEGIN + "never ends"):
            self.assertEqual(notes_of(page), "")
