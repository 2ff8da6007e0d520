"""Stamping: a time before each line, all other bytes unchanged."""

from __future__ import annotations

import time

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rqd.logging.stamps import prefix, stamp, stamp_marked

STAMP = b"<time> "

chunks = st.lists(
    st.lists(
        st.sampled_from([b"\n", b"\r\n", b"\x00", b"\xff", b"word", STAMP, b"\r"]), max_size=6
    ).map(b"".join),
    max_size=8,
)


def stamped(pieces: list[bytes]) -> bytes:
    """All ``pieces`` stamped one after the other, as a log gets them."""
    text, at_line_start = b"", True
    for piece in pieces:
        part, at_line_start = stamp(piece, STAMP, at_line_start)
        text += part
    return text


def by_lines(text: bytes) -> bytes:
    """The slow and obvious way."""
    lines = text.split(b"\n")
    ends = [line + b"\n" for line in lines[:-1]] + [lines[-1]]
    return b"".join(STAMP + line for line in ends if line)


class StampTests(SynchronousTestCase):
    """``stamp``."""

    @settings(deadline=None)
    @given(chunks)
    def test_any_split(self, pieces: list[bytes]) -> None:
        """However the output is split, each line has one stamp, at its first byte."""
        self.assertEqual(stamped(pieces), by_lines(b"".join(pieces)))

    def test_partial_line(self) -> None:
        """A line that comes in pieces is stamped once, and the next one only when it comes."""
        self.assertEqual(stamp(b"on", STAMP, True), (b"<time> on", False))
        self.assertEqual(stamp(b"e\n", STAMP, False), (b"e\n", True))
        self.assertEqual(stamp(b"\n", STAMP, True), (b"<time> \n", True))
        self.assertEqual(stamp(b"", STAMP, True), (b"", True))

    def test_prefix(self) -> None:
        """The stamp is local time."""
        second = 1700000000
        expected = time.strftime("[%H:%M:%S] ", time.localtime(second))
        self.assertEqual(prefix(second), expected.encode())


class MarkedTests(SynchronousTestCase):
    """``stamp_marked``."""

    def test_times(self) -> None:
        """Each line has the time at which its first byte was written."""
        text = b"one\ntwo\nthree\n"
        pieces, line_start = stamp_marked(text, 100, [(106, 5), (114, 9)], True)
        self.assertEqual(
            b"".join(pieces), prefix(5) + b"one\n" + prefix(5) + b"two\n" + prefix(9) + b"three\n"
        )
        self.assertTrue(line_start)

    def test_beyond_the_marks(self) -> None:
        """What no mark covers has the time of the last."""
        pieces, _ = stamp_marked(b"a\nb\n", 0, [(2, 7)], True)
        self.assertEqual(b"".join(pieces), prefix(7) + b"a\n" + prefix(7) + b"b\n")

    @settings(deadline=None)
    @given(
        st.binary(max_size=40),
        st.lists(st.tuples(st.integers(0, 60), st.integers(0, 10**9)), max_size=5),
        st.integers(0, 20),
        st.booleans(),
    )
    def test_nothing_is_lost(
        self, text: bytes, marks: list[tuple[int, int]], offset: int, line_start: bool
    ) -> None:
        """Any marks cut the text at most, they never change it."""
        marks.sort()
        text = text.replace(b"[", b"(")
        pieces, _ = stamp_marked(text, offset, marks, line_start)
        found = b"".join(pieces)
        for second in {0} | {second for _, second in marks}:
            found = found.replace(prefix(second), b"")
        self.assertEqual(found, text)
