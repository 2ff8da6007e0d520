"""How figures grow."""

from __future__ import annotations

import math
from xml.etree import ElementTree as ET

from twisted.trial.unittest import SynchronousTestCase

from benchmarks.document import document
from benchmarks.growth import exponent, exponents
from benchmarks.growthchart import growth_svg
from benchmarks.measures.crowd import GROWING, per_frame
from benchmarks.measures.environment import GROWING as GROWING_WITH_VARIABLES
from benchmarks.results import Result, Run
from benchmarks.rows import ROWS
from benchmarks.series import LABELS, all_series
from tests.benchmarks.runs import result, run_of

SIZES = (10, 100, 1000)


def crowd(number: int, factor: float, attempt: int = 1) -> Result:
    """A round in which each figure is so many times the number of frames."""
    levels = {str(n): dict.fromkeys(GROWING, n * factor) for n in SIZES}
    return Result("crowd", "openrqd", number, {"levels": levels}, "", 1.0, attempt)


def run(*results: Result) -> Run:
    """A run with these rounds, and one of the other measure."""
    levels = {str(n): dict.fromkeys(GROWING_WITH_VARIABLES, 5.0) for n in (1, 10, 100)}
    return run_of(*results, result("environment", "openrqd", 0, {"levels": levels}))


class ExponentTests(SynchronousTestCase):
    """`exponent` is that of the power that fits best."""

    def test_powers(self) -> None:
        """A power of the size has its own exponent, whatever the factor."""
        for power in (-1.0, 0.0, 0.5, 1.0, 2.0):
            points = [(n, 7 * n**power) for n in SIZES]
            self.assertAlmostEqual(exponent(points), power)

    def test_between(self) -> None:
        """What is no power gets the slope of the best line."""
        self.assertAlmostEqual(exponent([(1, 1), (10, 10), (100, 10)]), 0.5)

    def test_none(self) -> None:
        """With one size, or with figures that aren't above 0, there is none."""
        for points in ([], [(10, 5)], [(10, 5), (10, 6)], [(10, 0), (100, 5)], [(1, -1), (2, 3)]):
            self.assertTrue(math.isnan(exponent([(float(x), float(y)) for x, y in points])))
        self.assertTrue(math.isnan(exponent([(1, math.nan), (2, 1)])))

    def test_by_figure(self) -> None:
        """Each figure has its own, over the same sizes."""
        found = exponents({n: {"a": n, "b": n * n} for n in SIZES}, ("a", "b"))
        self.assertAlmostEqual(found["a"], 1)
        self.assertAlmostEqual(found["b"], 2)

    def test_per_frame(self) -> None:
        """A frame's memory is what came between the two highest levels, not what came first."""
        levels = {10: {"rss_mib": 50.0}, 100: {"rss_mib": 61.0}, 1000: {"rss_mib": 70.0}}
        self.assertAlmostEqual(per_frame(levels), 9 * 1024 / 900)


class SeriesTests(SynchronousTestCase):
    """`all_series` are the medians of the rounds at each size."""

    def test_medians(self) -> None:
        """The middle round counts at each size."""
        series = all_series(run(crowd(0, 1), crowd(1, 9), crowd(2, 2)), "crowd")
        self.assertEqual(series[0].points, ((10, 20), (100, 200), (1000, 2000)))
        self.assertAlmostEqual(series[0].exponent, 1)

    def test_second_time(self) -> None:
        """If the measure was taken twice, the second time is shown."""
        series = all_series(run(crowd(0, 1), crowd(0, 5, attempt=2)), "crowd")
        self.assertEqual(series[0].points[0], (10, 50))

    def test_not_taken(self) -> None:
        """Without rounds there are none."""
        self.assertEqual(all_series(run_of(), "crowd"), [])

    def test_labels(self) -> None:
        """Each figure that a measure fits has a label and a promise."""
        fitted = {"crowd": GROWING, "environment": GROWING_WITH_VARIABLES}
        self.assertEqual({m: tuple(labels) for m, labels in LABELS.items()}, fitted)
        promised = {(row.measure, row.key) for row in ROWS if row.target}
        for measure, keys in fitted.items():
            for key in keys:
                self.assertIn((measure, f"exponents.{key}"), promised)

    def test_page(self) -> None:
        """The page has a table for each, with a column for each size."""
        page = document(run(crowd(0, 1)))
        self.assertIn("| openrqd | 10 | 100 | 1,000 | exponent |", page)
        self.assertIn("| RSS | 10 MiB | 100 MiB | 1000 MiB | 1.00 |", page)
        self.assertIn("| openrqd | 1 | 10 | 100 | exponent |", page)


class GrowthChartTests(SynchronousTestCase):
    """`growth_svg` draws a line for each figure."""

    def test_lines(self) -> None:
        """There is a line for each figure and one for the promise in each panel, inside it."""
        picture = ET.fromstring(growth_svg(run(crowd(0, 1))))
        lines = [e for e in picture.iter() if e.tag.endswith("polyline")]
        self.assertEqual(len(lines), len(GROWING) + len(GROWING_WITH_VARIABLES) + 2)
        width, height = map(float, picture.attrib["viewBox"].split()[2:])
        for line in lines:
            for point in line.attrib["points"].split():
                x, y = map(float, point.split(","))
                self.assertTrue(0 <= x <= width and 0 <= y <= height, point)

    def test_nothing(self) -> None:
        """With nothing to draw there is still a picture."""
        ET.fromstring(growth_svg(run_of()))
