"""What a frame uses, in the words of the reports."""

from __future__ import annotations

from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from rqd.proto import report_pb2
from rqd.report.statistics import put_into_words, statistics
from rqd.system.usage import EMPTY_USAGE, FrameUsage
from tests.report.facts import process_sample, usage


def told(of: FrameUsage) -> report_pb2.RunningFrameInfo:
    return report_pb2.RunningFrameInfo.FromString(statistics(of))


class StatisticsTests(SynchronousTestCase):
    """L{statistics}."""

    def test_once(self) -> None:
        """It is put into words once, until others keep them, and anew for another usage."""
        one = usage(process_sample())
        before = statistics(one)
        put_into_words(one)
        self.assertIs(statistics(one), statistics(one))
        one.forget()
        put_into_words(one)
        self.assertFalse(one.told)
        self.assertEqual(statistics(one), before)
        self.assertEqual(told(replace(one, rss=7)).rss, 7)

    def test_not_measured(self) -> None:
        """What was never measured has no cores in use, rather than none."""
        self.assertNotIn("pcpu", told(EMPTY_USAGE).attributes)
        self.assertEqual(told(usage()).attributes["pcpu"], "1.5")

    def test_long_command_lines(self) -> None:
        """Few processes show long command lines, each of very many shows how it begins."""
        for number, shown in ((1, 2048), (64, 2048), (1000, 131), (5000, 60)):
            line = process_sample(cmdline="x" * 2048)
            children = told(usage(*[line] * number)).children.children
            self.assertEqual({len(child.cmdline) for child in children}, {shown})
            self.assertEqual(len(children), number)

    def test_out_of_range(self) -> None:
        """A number that no field holds is the nearest that one does."""
        self.assertEqual(told(replace(usage(), rss=1 << 70, vsize=-(1 << 70))).rss, (1 << 63) - 1)
