"""What records lack while the disk is in trouble."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred, execute
from twisted.trial.unittest import SynchronousTestCase

from rqd.frame.unkept import Unkept, Write


class UnkeptTests(SynchronousTestCase):
    """L{Unkept}."""

    def setUp(self) -> None:
        self.unkept = Unkept()
        self.disk: list[str] = []

    def line(self, text: str) -> Write:
        return lambda: self.disk.append(text)

    def failing(self, error: OSError) -> Write:
        def write() -> None:
            raise error

        return write

    def write(self) -> Deferred[int]:
        def run(write: Callable[[], None]) -> Deferred[None]:
            return execute(write)

        return Deferred.fromCoroutine(self.unkept.write(run))

    def test_in_order(self) -> None:
        """All are written in the order in which they came, and who waits is told."""
        written = [self.unkept.add(text, self.line(text)) for text in "abc"]
        self.assertEqual(self.successResultOf(self.write()), 3)
        self.assertEqual(self.disk, ["a", "b", "c"])
        for each in written:
            self.successResultOf(each)
        self.assertFalse(self.unkept)

    def test_until_one_fails(self) -> None:
        """One that fails keeps those behind it, and is tried first the next time."""
        self.unkept.add("a", self.line("a"))
        self.unkept.add("b", self.failing(OSError(28, "full")))
        self.unkept.add("c", self.line("c"))
        self.failureResultOf(self.write(), OSError)
        self.assertEqual((self.disk, len(self.unkept)), (["a"], 2))

    def test_dropped(self) -> None:
        """What nobody needs any more is not written."""
        written = self.unkept.add("a", self.line("a"))
        self.unkept.drop("a")
        self.successResultOf(self.unkept.drop("b"))
        self.assertEqual(self.successResultOf(self.write()), 0)
        self.assertNoResult(written)

    def test_newest(self) -> None:
        """Of a frame only the newest is written, when its turn is."""
        self.unkept.add("a", self.line("note"))
        self.unkept.add("b", self.line("b"))
        self.unkept.add("a", self.line("report"))
        self.successResultOf(self.write())
        self.assertEqual(self.disk, ["b", "report"])

    def test_no_record(self) -> None:
        """What has no record any more holds up nobody."""
        gone = self.unkept.add("a", self.failing(FileNotFoundError(2, "gone")))
        self.unkept.add("b", self.line("b"))
        self.assertEqual(self.successResultOf(self.write()), 1)
        self.assertNoResult(gone)
        self.assertFalse(self.unkept)

    def test_dropped_while_written(self) -> None:
        """One that is dropped while it is written is nobody's news; who drops it is told then."""
        under_way: Deferred[None] = Deferred()
        written = self.unkept.add("a", self.line("a"))
        writing = Deferred.fromCoroutine(self.unkept.write(lambda write: under_way))
        dropped = self.unkept.drop("a")
        self.assertNoResult(dropped)
        under_way.callback(None)
        self.successResultOf(dropped)
        self.successResultOf(writing)
        self.assertNoResult(written)
