"""Marks: when which bytes of a spool were written."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rqd.logging.marks import LIMIT, Marks, segments


class MarksTests(SynchronousTestCase):
    """``Marks``."""

    def setUp(self) -> None:
        self.marks = Marks()

    def test_one_a_second(self) -> None:
        """Output within a second extends its mark."""
        for end, second in ((10, 1), (20, 1), (30, 2)):
            self.marks.add(end, second)
        self.assertEqual(self.marks.after(0, 30), [(20, 1), (30, 2)])

    def test_clock_is_set_back(self) -> None:
        """What is written after the date was set back tells that date."""
        self.marks.add(10, 5)
        self.marks.add(20, 3)
        self.marks.add(30, 3)
        self.assertEqual(self.marks.after(0, 30), [(10, 5), (30, 3)])

    def test_only_what_is_asked_for(self) -> None:
        """A job gets the marks of its own bytes."""
        for end in range(10, 60, 10):
            self.marks.add(end, end)
        self.assertEqual(self.marks.after(20, 40), [(30, 30), (40, 40), (50, 50)])
        self.assertEqual(self.marks.after(15, 18), [(20, 20)])

    def test_forget(self) -> None:
        """Copied bytes need no marks; a mark that is partly copied stays."""
        for end in (10, 20, 30):
            self.marks.add(end, end)
        self.marks.forget(20)
        self.assertEqual(self.marks.after(0, 30), [(30, 30)])
        self.marks.forget(25)
        self.assertEqual(len(self.marks), 1)

    def test_clear(self) -> None:
        """A spool that begins anew has no marks."""
        self.marks.add(10, 1)
        self.marks.clear()
        self.assertEqual(self.marks.after(0, 10), [])

    def test_bounded(self) -> None:
        """A log that hangs for days costs no more memory; its times become coarser, not wrong."""
        for second in range(3 * LIMIT):
            self.marks.add(second + 1, second)
        self.assertLessEqual(len(self.marks), LIMIT)
        ends, previous = self.marks.after(0, 3 * LIMIT), 0
        for end, second in ends:
            self.assertTrue(previous <= second < end)
            previous = end
        self.assertEqual(ends[-1], (3 * LIMIT, 3 * LIMIT - 1))


class SegmentsTests(SynchronousTestCase):
    """``segments``."""

    @settings(deadline=None)
    @given(
        st.integers(0, 100),
        st.integers(0, 100),
        st.lists(st.integers(0, 250), max_size=8, unique=True).map(sorted),
    )
    def test_cover(self, offset: int, length: int, ends: list[int]) -> None:
        """The segments follow each other without a gap and hold all bytes."""
        at = 0
        for begin, end, _ in segments(offset, length, [(end, end) for end in ends]):
            self.assertEqual(begin, at)
            self.assertLess(begin, end)
            at = end
        self.assertEqual(at, length)
