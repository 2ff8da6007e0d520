"""Files of frames that are over."""

from __future__ import annotations

import os
from pathlib import Path

from twisted.internet.task import Clock
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from rqd.blanks import Blanks
from rqd.frame.clearing import PAUSE, RETRY, Clearing
from rqd.frame.records import STATE, FrameFiles
from rqd.frame.statedisk import StateDisk
from tests.frame.fakes import Workers


class ClearingTests(SynchronousTestCase):
    """L{Clearing}."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).resolve()
        self.folder.mkdir()
        self.clock, self.workers = Clock(), Workers()
        disk = StateDisk([], reactor=self.clock, workers=self.workers)
        self.clearing = Clearing(reactor=self.clock, disk=disk)

    def over(self, name: str) -> FrameFiles:
        """The files of a frame that is over."""
        files = FrameFiles(
            f"{self.folder}/{name}", f"{self.folder}/{name}.sh", Blanks(str(self.folder))
        )
        for path in (files.record, files.spool, files.script):
            Path(path).touch()
        return files

    def test_a_batch(self) -> None:
        """All frames of a pause go together, and the next pause begins with the next frame."""
        for name in ("a", "b"):
            self.clearing.add(self.over(name))
        self.assertEqual(len(os.listdir(self.folder)), 6)
        self.clock.advance(PAUSE)
        self.assertEqual(os.listdir(self.folder), [])
        self.clearing.add(self.over("c"))
        self.clock.advance(PAUSE)
        self.assertEqual(os.listdir(self.folder), [])

    def test_flush(self) -> None:
        """Who stops does not wait for the pause."""
        self.clearing.add(self.over("a"))
        self.clearing.flush()
        self.assertEqual(os.listdir(self.folder), [])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_one_that_stays(self) -> None:
        """A file that can't be removed keeps no other frame's, and is tried again."""
        stuck = self.over("a")
        os.unlink(stuck.spool)
        os.mkdir(stuck.spool)
        self.clearing.add(stuck)
        self.clearing.add(self.over("b"))
        self.clock.advance(PAUSE)
        self.assertNotIn("b.record", os.listdir(self.folder))
        self.assertIn("a.record", os.listdir(self.folder))
        os.rmdir(stuck.spool)
        self.clock.advance(RETRY)
        self.assertEqual(os.listdir(self.folder), [])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_said_once(self) -> None:
        """A disk that lets nothing go is said once, however many frames end and however long."""
        said: list[object] = []
        globalLogPublisher.addObserver(said.append)
        self.addCleanup(globalLogPublisher.removeObserver, said.append)
        stuck = [self.over(str(number)) for number in range(40)]
        for files in stuck:
            os.unlink(files.spool)
            os.mkdir(files.spool)
            self.clearing.add(files)
        self.clock.pump([RETRY] * 10)
        self.assertEqual(len(said), 1)
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)

    def test_disk_that_hangs(self) -> None:
        """A disk that does not answer holds up nothing but the removal."""
        self.workers.hold(STATE)
        self.clearing.add(self.over("a"))
        self.clock.advance(PAUSE)
        self.assertEqual(len(os.listdir(self.folder)), 3)
        self.workers.release(STATE)
        self.assertEqual(os.listdir(self.folder), [])
