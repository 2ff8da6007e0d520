"""What is read of the compiled programs' output."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from benchmarks.stamps import Stamps, check_log, read_stamps


def numbered(number: int) -> bytes:
    """A line as spew prints it."""
    return b"%08d %s\n" % (number, b"#" * 90)


class CheckLogTests(SynchronousTestCase):
    """`check_log` finds which numbered lines are whole."""

    def check(self, content: bytes) -> tuple[int, int, bool]:
        """Missing, damaged, in order: of three lines."""
        path = Path(self.mktemp())
        path.write_bytes(content)
        found = check_log(path, 3)
        return found["missing"], found["damaged"], found["in_order"]

    def test_whole(self) -> None:
        """Lines may follow a timestamp, between a header and a footer."""
        lines = b"".join(b"[12:00:00] " + numbered(n) for n in (1, 2, 3))
        self.assertEqual(self.check(b"header ====\n" + lines + b"footer"), (0, 0, True))

    def test_missing_and_damaged(self) -> None:
        """A cut line is damaged, and missing as well."""
        self.assertEqual(self.check(numbered(1) + numbered(2)[:50] + b"\n"), (2, 1, True))

    def test_order(self) -> None:
        """A line out of its order is noticed."""
        self.assertEqual(self.check(numbered(2) + numbered(1) + numbered(3)), (0, 0, False))


class ReadStampsTests(SynchronousTestCase):
    """`read_stamps` reads the two times of a program."""

    def test_complete(self) -> None:
        """The first and the last act are told."""
        path = Path(self.mktemp())
        path.write_text("S 12.000000001\nE 13.5\n")
        self.assertEqual(read_stamps(path), Stamps(12.000000001, 13.5))

    def test_incomplete(self) -> None:
        """A program that never came to its end has no stamps."""
        path = Path(self.mktemp())
        path.write_text("S 12.0\n")
        self.assertIsNone(read_stamps(path, timeout=0))
