"""The chart."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from twisted.trial.unittest import SynchronousTestCase

from benchmarks.chart import Bar, Scale, bars, svg
from benchmarks.summary import summarise
from tests.benchmarks.runs import result, run_of, throughput


class BarTests(SynchronousTestCase):
    """`bars` turns ratios into "times better"."""

    def test_more_is_better(self) -> None:
        """Where more is better, the ratio is the factor."""
        (bar,) = bars(summarise(throughput([300, 400, 500], [100, 100, 100])))
        self.assertEqual((bar.factor, bar.low, bar.high, bar.target), (4, 3, 5, 4))

    def test_less_is_better(self) -> None:
        """Where less is better it is the inverse, and so are the ends and the promise."""
        run = run_of(
            result("running", "openrqd", 0, {"idle": {"rss_mib": 20.0}}),
            result("running", "openrqd", 1, {"idle": {"rss_mib": 40.0}}),
            result("running", "classic", 0, {"idle": {"rss_mib": 40.0}}),
            result("running", "classic", 1, {"idle": {"rss_mib": 40.0}}),
        )
        (bar,) = bars(summarise(run))
        self.assertAlmostEqual(bar.factor, 4 / 3)
        self.assertEqual((bar.low, bar.high), (1, 2))
        self.assertAlmostEqual(bar.target or 0, 1 / 1.2)

    def test_nothing_measured(self) -> None:
        """A ratio of zero can't be drawn on a logarithmic scale, and isn't."""
        self.assertEqual(bars(summarise(throughput([0], [100]))), [])


class ScaleTests(SynchronousTestCase):
    """`Scale` is logarithmic and holds all there is to draw."""

    def test_symmetry(self) -> None:
        """Twice as good lies as far from the middle as half as good."""
        scale = Scale([Bar("", 2, 0.5, 2, None)])
        self.assertAlmostEqual(scale.x(2) - scale.x(1), scale.x(1) - scale.x(0.5))

    def test_holds_everything(self) -> None:
        """Bars, spreads and promises lie between the ends."""
        scale = Scale([Bar("", 3, 0.1, 40, 50)])
        self.assertLessEqual(scale.x(2.0**scale.first), scale.x(0.1))
        self.assertGreaterEqual(scale.x(2.0**scale.last), scale.x(50))

    def test_ticks(self) -> None:
        """There is a tick at 1, and not many of them however wide the scale is."""
        for high in (1, 40, 5000):
            ticks = Scale([Bar("", 1, 0.01, high, None)]).ticks()
            self.assertIn(1, ticks)
            self.assertLess(len(ticks), 20)


class PictureTests(SynchronousTestCase):
    """`svg` draws."""

    def test_well_formed(self) -> None:
        """The picture is XML whatever the labels hold, with a text for each bar."""
        picture = svg([Bar("a < b & c", 2, 1, 3, None), Bar("other", 0.5, 0.4, 0.6, 1)])
        texts = [e.text for e in ET.fromstring(picture).iter() if e.tag.endswith("text")]
        self.assertIn("a < b & c", texts)
        self.assertIn("other", texts)

    def test_no_bars(self) -> None:
        """With nothing to compare there is still a picture."""
        ET.fromstring(svg([]))
