"""Copying, checkpoint by checkpoint, on real files."""

from __future__ import annotations

import os

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rqd.blanks import Blanks
from rqd.logging.checkpoint import Position, load
from rqd.logging.copier import Copier, Outcome, Work
from rqd.logging.interfaces import LogUnavailable
from rqd.logging.logfile import LogFile
from rqd.logging.stamps import prefix


class FailingLogFile(LogFile):
    """Fails at the wish of the test, after having written half."""

    failing: str | None = None

    def append(self, pieces):
        if self.failing == "append":
            super().append([b"".join(pieces)[: sum(map(len, pieces)) // 2]])
            raise OSError(28, "No space left on device")
        return super().append(pieces)

    def close(self) -> None:
        super().close()
        if self.failing == "close":
            raise OSError(122, "Disk quota exceeded")


class CopierTests(SynchronousTestCase):
    """``Copier``; the stamp is taken out of the text to compare."""

    def setUp(self) -> None:
        self.begin(late_errors=False)

    def begin(self, *, late_errors: bool) -> None:
        folder = os.path.abspath(self.mktemp())
        os.mkdir(folder)
        self.path, self.spool, self.checkpoint = (
            os.path.join(folder, name) for name in ("log", "spool", "checkpoint")
        )
        self.position = Position(0, 0, True)
        self.file = FailingLogFile(self.path, 0, None)
        self.copier = Copier(
            self.file,
            self.spool,
            self.checkpoint,
            Blanks(folder),
            header=b"header\n",
            late_errors=late_errors,
        )
        self.addCleanup(self.file.abandon)
        self.work(keep_open=False)

    def write(self, text: bytes) -> None:
        with open(self.spool, "ab") as file:
            file.write(text)

    def work(self, *, keep_open: bool = True, footer: bytes | None = None) -> Outcome:
        """Copy all that is there."""
        limit = os.path.getsize(self.spool) if os.path.exists(self.spool) else 0
        work = Work(limit, [(limit, 0)], keep_open=keep_open, footer=footer)
        outcome = self.copier.work(self.position, work)
        self.position = outcome.position
        return outcome

    def text(self) -> bytes:
        with open(self.path, "rb") as file:
            return file.read().replace(prefix(0), b"")

    def descriptors(self) -> int:
        return len(os.listdir("/proc/self/fd"))

    def test_no_checkpoint(self) -> None:
        """A log that can't have a checkpoint is not begun: the error names what failed."""
        path, checkpoint = f"{self.path}.new", "/proc/checkpoint"
        copier = Copier(
            LogFile(path, 0, None),
            self.spool,
            checkpoint,
            Blanks("/proc"),
            header=b"header\n",
            late_errors=False,
        )
        outcome = copier.work(Position(0, 0, True), Work(0, (), keep_open=False))
        assert isinstance(outcome.error, LogUnavailable)
        self.assertIn(checkpoint, outcome.error.explanation)
        self.assertFalse(os.path.exists(path))

    def test_pieces(self) -> None:
        """Text follows, job by job; the checkpoint says how far it is."""
        for text in (b"on", b"e\n", b"two\n"):
            self.write(text)
            self.work()
        self.assertEqual(self.text(), b"header\none\ntwo\n")
        length = os.path.getsize(self.path)
        self.assertEqual(self.position, Position(8, length, True))
        self.assertEqual(load(self.checkpoint), (self.position, os.stat(self.path).st_ino))

    def test_descriptors(self) -> None:
        """Files stay open only where the next job is near."""
        before = self.descriptors()
        self.write(b"one\n")
        self.assertTrue(self.work().is_open)
        self.assertGreater(self.descriptors(), before)
        self.assertFalse(self.work(keep_open=False).is_open)
        self.assertEqual(self.descriptors(), before)

    def test_footer(self) -> None:
        """The footer begins a line, completes the log and closes all."""
        before = self.descriptors()
        self.write(b"one")
        self.assertTrue(self.work(footer=b"footer\n").complete)
        self.assertEqual(self.text(), b"header\none\nfooter\n")
        self.assertEqual(self.descriptors(), before)

    def test_back_on_disk(self) -> None:
        """Who goes back to what is surely there says so on disk before text is cut off.

        Or else a successor would take for copied what was cut off.
        """
        self.begin(late_errors=True)
        self.write(b"one\n")
        self.work()
        self.file.failing = "append"
        for text in (b"two\n", b"three\n"):
            self.write(text)
            self.work()
        found = load(self.checkpoint)
        assert found is not None
        self.assertEqual(found[0], self.position)
        self.assertEqual(self.position.offset, 0)

    def test_half_written(self) -> None:
        """What a failed write left in the log is cut off by the next."""
        self.write(b"one\n")
        self.file.failing = "append"
        outcome = self.work()
        self.assertIsInstance(outcome.error, OSError)
        self.assertGreater(os.path.getsize(self.path), len(b"header\n"))
        self.file.failing = None
        self.assertIsNone(self.work(footer=b"footer\n").error)
        self.assertEqual(self.text(), b"header\none\nfooter\n")

    def test_late_error(self) -> None:
        """What a network file system takes back at the close is copied again."""
        self.begin(late_errors=True)
        self.write(b"one\n")
        self.work(keep_open=False)
        self.write(b"two\n")
        self.file.failing = "close"
        outcome = self.work(keep_open=False)
        self.assertEqual((outcome.position.offset, outcome.safe), (4, 4))
        os.truncate(self.path, outcome.position.length)
        self.file.failing = None
        self.work(footer=b"footer\n")
        self.assertEqual(self.text(), b"header\none\ntwo\nfooter\n")

    def test_others_add(self) -> None:
        """A note that somebody adds to the log stays."""
        self.write(b"one\n")
        self.work(keep_open=False)
        with open(self.path, "ab") as file:
            file.write(b"note\n")
        self.write(b"two\n")
        self.work(keep_open=False)
        self.assertEqual(self.text(), b"header\none\nnote\ntwo\n")

    def test_others_empty_it(self) -> None:
        """A log that somebody empties goes on from there."""
        self.write(b"one\n")
        self.work(keep_open=False)
        os.truncate(self.path, 0)
        self.write(b"two\n")
        self.work(footer=b"footer\n")
        self.assertEqual(self.text(), b"two\nfooter\n")

    def test_no_room_for_the_checkpoint(self) -> None:
        """A log that can't be noted is not left behind, so that trying again rotates no other."""
        for name in (self.path, self.checkpoint):
            os.unlink(name)
        os.mkdir(self.checkpoint)
        logs = os.listdir(os.path.dirname(self.path))
        self.begin_anew(header=b"header\n")
        for _ in range(3):
            self.assertIsInstance(self.work().error, LogUnavailable)
        self.assertEqual(os.listdir(os.path.dirname(self.path)), logs)
        os.rmdir(self.checkpoint)
        self.write(b"one\n")
        self.assertIsNone(self.work(footer=b"footer\n").error)
        self.assertEqual(self.text(), b"header\none\nfooter\n")

    def test_lost_checkpoint(self) -> None:
        """A checkpoint that somebody removes is made anew."""
        self.write(b"one\n")
        self.work(keep_open=False)
        os.unlink(self.checkpoint)
        self.write(b"two\n")
        self.assertIsNone(self.work(keep_open=False).error)
        self.assertEqual(load(self.checkpoint), (self.position, os.stat(self.path).st_ino))
        self.assertEqual(self.text(), b"header\none\ntwo\n")

    def test_given_back(self) -> None:
        """What a quiet frame printed has been given back, also where errors come late."""
        for late_errors in (False, True):
            self.begin(late_errors=late_errors)
            self.write(b"x" * (8 << 20))
            self.work(keep_open=False)
            self.assertLess(os.stat(self.spool).st_blocks * 512, 3 << 20)

    def test_missing_spool(self) -> None:
        """A spool that the frame removed has nothing to copy; the footer comes."""
        self.copier.work(self.position, Work(100, [(100, 0)], keep_open=False, footer=b"end\n"))
        self.assertEqual(self.text(), b"header\nend\n")

    @settings(max_examples=40, deadline=None)
    @given(
        st.lists(st.tuples(st.sampled_from([b"a\n", b"b", b"\r\n"]), st.booleans()), max_size=8),
        st.binary(max_size=5),
    )
    def test_successor(self, steps: list[tuple[bytes, bool]], rest: bytes) -> None:
        """An agent that dies after any job leaves nothing lost and nothing twice."""
        self.begin(late_errors=False)
        for text, dies in steps:
            self.write(text)
            self.work()
            if dies:
                with open(self.path, "ab") as file:
                    file.write(rest)  # written, and died before the checkpoint
                self.succeed()
        self.write(b"!\n")
        self.work(footer=b"footer\n")
        expected = b"".join(text for text, _ in steps)
        self.assertEqual(self.text(), b"header\n" + expected + b"!\nfooter\n")

    def succeed(self) -> None:
        """A new agent takes over by the checkpoint."""
        found = load(self.checkpoint)
        assert found is not None
        self.position, inode = found
        self.begin_anew(inode)

    def begin_anew(self, inode: int = 0, *, header: bytes | None = None) -> None:
        """Another copier for the same files."""
        self.file.abandon()
        self.file = FailingLogFile(self.path, inode, None)
        self.addCleanup(self.file.abandon)
        self.copier = Copier(
            self.file,
            self.spool,
            self.checkpoint,
            Blanks(os.path.dirname(self.path)),
            header=header,
            late_errors=False,
        )
