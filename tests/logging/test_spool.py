"""The spool: giving back what was copied, and its last lines."""

from __future__ import annotations

import os

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rqd.logging import spool
from rqd.logging.spool import SHORT_TAIL, TAIL, first_data, give_back, last_lines

MIB = 1 << 20
TEXTS = st.lists(st.sampled_from([b"\n", b"a", b"\r\n", b"\xff"])).map(b"".join)


class GiveBackTests(SynchronousTestCase):
    """``give_back`` and ``first_data``."""

    def setUp(self) -> None:
        self.path = self.mktemp()
        with open(self.path, "wb") as file:
            file.write(b"x" * 8 * MIB)
        self.descriptor = os.open(self.path, os.O_RDWR)
        self.addCleanup(os.close, self.descriptor)

    def test_given_back(self) -> None:
        """Blocks go, the size and the last MiB before the copied offset stay."""
        end = give_back(self.descriptor, 0, 5 * MIB + 5)
        self.assertEqual(end, 4 * MIB)
        os.fsync(self.descriptor)
        facts = os.fstat(self.descriptor)
        self.assertEqual(facts.st_size, 8 * MIB)
        self.assertLess(facts.st_blocks * 512, 5 * MIB)
        self.assertEqual(first_data(self.path), end)
        self.assertEqual(os.pread(self.descriptor, 1, end), b"x")

    def test_too_little(self) -> None:
        """Less than a step isn't worth a call."""
        self.assertEqual(give_back(self.descriptor, 0, TAIL), 0)
        self.assertEqual(give_back(self.descriptor, 4 * MIB, 5 * MIB + 5), 4 * MIB)
        self.assertEqual(first_data(self.path), 0)

    def test_nearly_full_disk(self) -> None:
        """Then all goes but a little, and the last lines are what is left."""
        self.patch(spool, "ROOMY", 1 << 62)
        end = give_back(self.descriptor, 0, 8 * MIB)
        self.assertEqual(end, 8 * MIB - SHORT_TAIL)
        self.assertEqual(last_lines(self.path, 1), b"x" * SHORT_TAIL)

    def test_empty(self) -> None:
        """An empty spool begins at its end."""
        os.truncate(self.path, 0)
        self.assertEqual(first_data(self.path), 0)


class LastLinesTests(SynchronousTestCase):
    """``last_lines``."""

    def lines(self, text: bytes, lines: int, begin: int = 0) -> bytes:
        path = self.mktemp()
        with open(path, "wb") as file:
            file.write(text)
        return last_lines(path, lines, begin)

    @settings(deadline=None)
    @given(TEXTS, st.integers(0, 9))
    def test_as_split(self, text: bytes, lines: int) -> None:
        """The last lines are those that splitting at newlines gives, partial ones included."""
        ends = [line + b"\n" for line in text.split(b"\n")]
        ends[-1] = ends[-1][:-1]
        if not ends[-1]:
            del ends[-1]
        expected = b"".join(ends[-lines:]) if lines else b""
        self.assertEqual(self.lines(text, lines), expected)

    def test_bounded(self) -> None:
        """There is never more than a MiB."""
        self.assertEqual(self.lines(b"a" + b"x" * TAIL, 1), b"x" * TAIL)

    def test_begin(self) -> None:
        """What lies before the output is none of it."""
        self.assertEqual(self.lines(b"header\none\n", 5, begin=7), b"one\n")

    def test_missing(self) -> None:
        """A spool that is gone has no lines."""
        self.assertEqual(last_lines(self.mktemp(), 5), b"")
