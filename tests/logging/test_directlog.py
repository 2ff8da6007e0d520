"""A log that the frame writes itself."""

from __future__ import annotations

import os

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from rqd.blanks import Blanks
from rqd.logging.framelogs import FrameLogs
from rqd.logging.mounttable import MountTable
from rqd.logging.rounds import PERIOD
from tests.logging.seams import InlineWorkers, StandInWakeups

NOW = 1700000000.0


class DirectLogTests(SynchronousTestCase):
    """``DirectLog`` as ``FrameLogs`` makes it."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.workers = InlineWorkers()
        self.folder = os.path.abspath(self.mktemp())
        self.path = os.path.join(self.folder, "log")
        self.checkpoint = self.path + ".checkpoint"
        self.told = 0
        table = MountTable()
        self.addCleanup(table.close)
        self.logs = FrameLogs(
            reactor=self.clock,
            workers=self.workers,
            wakeups=StandInWakeups(),
            table=table,
            blanks=Blanks(self.folder),
            max_size=10,
            wall_clock=lambda: NOW,
        )

    def too_big(self) -> None:
        self.told += 1

    def open(self, *, resume: bool = False):
        make = self.logs.resume if resume else self.logs.open
        files = {"spool_path": None, "checkpoint_path": self.checkpoint, "owner": None}
        log = self.successResultOf(make(self.path, b"header\n", too_big=self.too_big, **files))
        log.start()
        return log

    def write(self, text: bytes, written: float = NOW) -> None:
        os.makedirs(self.folder, exist_ok=True)
        with open(self.path, "ab") as file:
            file.write(text)
        os.utime(self.path, (written, written))

    def text(self, name: str = "") -> bytes:
        with open(self.path + name, "rb") as file:
            return file.read()

    def test_size_and_time(self) -> None:
        """Size and last output are seen now and then; the header doesn't count."""
        log = self.open()
        self.write(b"four", NOW - 7)
        self.clock.advance(PERIOD)
        self.assertEqual((log.size, log.last_output, self.told), (4, NOW - 7, 0))

    def test_too_big(self) -> None:
        """The limit is told once."""
        self.open()
        self.write(b"x" * 11)
        self.clock.pump([PERIOD] * 3)
        self.assertEqual(self.told, 1)

    def test_hang(self) -> None:
        """While the file system hangs there is one look under way, not a queue of them."""
        log = self.open()
        self.workers.held = True
        self.clock.pump([PERIOD] * 20)
        self.assertEqual(len(self.workers.waiting), 1)
        closed = log.close(b"footer\n")
        self.assertNoResult(closed)
        self.workers.release()
        self.successResultOf(closed)
        self.assertEqual(self.text(), b"header\nfooter\n")
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_close_retries(self) -> None:
        """A footer that can't be written is tried again until it is."""
        log = self.open()
        os.rename(self.folder, self.folder + ".away")
        with open(self.folder, "w"):
            pass
        closed = log.close(b"footer\n")
        self.clock.advance(1)
        self.assertNoResult(closed)
        os.unlink(self.folder)
        os.rename(self.folder + ".away", self.folder)
        self.clock.advance(30)
        self.successResultOf(closed)
        self.assertEqual(self.text(), b"header\nfooter\n")

    def test_successor(self) -> None:
        """A successor knows where the output begins, and writes no second footer."""
        self.open().leave()
        self.write(b"one\n")
        log = self.open(resume=True)
        self.clock.advance(PERIOD)
        self.assertEqual(log.size, 4)
        self.assertEqual(self.successResultOf(log.tail(5)), b"one\n")
        self.successResultOf(log.close(b"footer\n"))
        self.successResultOf(self.open(resume=True).close(b"footer\n"))
        self.assertEqual(self.text(), b"header\none\nfooter\n")

    def test_successor_of_none(self) -> None:
        """A successor without a checkpoint makes the log; another frame's is rotated, not used."""
        self.write(b"another\n")
        self.successResultOf(self.open(resume=True).close(b"footer\n"))
        self.successResultOf(self.open(resume=True).close(b"footer\n"))
        self.assertEqual(self.text(), b"header\nfooter\n")
        self.assertEqual(self.text(".1"), b"another\n")

    def test_removed(self) -> None:
        """Of a log that was removed there is the footer, once."""
        self.open().leave()
        os.unlink(self.path)
        for _ in range(3):
            self.successResultOf(self.open(resume=True).close(b"footer\n"))
        self.assertEqual(self.text(), b"footer\n")

    def test_emptied(self) -> None:
        """A log that was emptied, also after its footer, has that again, once."""
        self.open().leave()
        self.write(b"one\n")
        self.successResultOf(self.open(resume=True).close(b"footer\n"))
        os.truncate(self.path, 0)
        for _ in range(3):
            self.successResultOf(self.open(resume=True).close(b"footer\n"))
        self.assertEqual(self.text(), b"footer\n")

    def test_replaced_after_the_footer(self) -> None:
        """Of another file that has its name nothing is cut off."""
        self.open().leave()
        self.successResultOf(self.open(resume=True).close(b"footer\n"))
        edited = self.text() + b"a note of somebody\n"
        os.rename(self.path, self.path + "~")
        with open(self.path, "wb") as log:
            log.write(edited)
        self.successResultOf(self.open(resume=True).close(b"footer\n"))
        self.assertEqual(self.text(), edited + b"footer\n")

    def test_rotated(self) -> None:
        """A log that another host rotated away is looked at and completed where it is."""
        log = self.open()
        self.write(b"one\n")
        os.rename(self.path, self.path + ".1")
        self.write(b"x" * 100)
        self.clock.advance(PERIOD)
        self.assertEqual((log.size, self.told), (4, 0))
        self.assertEqual(self.successResultOf(log.tail(5)), b"one\n")
        self.successResultOf(log.close(b"footer\n"))
        self.assertEqual(self.text(".1"), b"header\none\nfooter\n")
        self.assertEqual(self.text(), b"x" * 100)

    def test_leave(self) -> None:
        """A log that is left is not looked at."""
        log = self.open()
        log.leave()
        self.assertEqual(self.clock.getDelayedCalls(), [])
