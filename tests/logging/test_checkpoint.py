"""Checkpoints, read with suspicion."""

from __future__ import annotations

import os
import resource
import signal

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rqd.blanks import Blanks
from rqd.logging.checkpoint import Position, create, load, pack, was_written


class CheckpointTests(SynchronousTestCase):
    """A small file that may be anything after a crash."""

    def setUp(self) -> None:
        self.path = self.mktemp()
        self.blanks = Blanks(os.path.dirname(self.path))

    def write(self, content: bytes) -> None:
        with open(self.path, "wb") as file:
            file.write(content)

    def test_round_trip(self) -> None:
        """What was written is read, and nobody else reads it."""
        position = Position(123, 456, False)
        create(self.path, position, 99, self.blanks)
        self.assertEqual(load(self.path), (position, 99))
        self.assertEqual(os.stat(self.path).st_mode & 0o777, 0o600)

    def test_hot_part(self) -> None:
        """What changes is 17 bytes at the start; the inode stays."""
        create(self.path, Position(1, 2, True), 99, self.blanks)
        self.assertEqual(len(pack(Position(3, 4, False))), 17)
        with open(self.path, "r+b") as file:
            file.write(pack(Position(3, 4, False)))
        self.assertEqual(load(self.path), (Position(3, 4, False), 99))

    def test_replaced(self) -> None:
        """A new log's checkpoint takes the place of an old one."""
        create(self.path, Position(1000, 2000, False), 1, self.blanks)
        create(self.path, Position(0, 5, True), 2, self.blanks)
        self.assertEqual(load(self.path), (Position(0, 5, True), 2))

    def test_damaged_is_replaced(self) -> None:
        """So it is of a file that is none, whatever its length."""
        for content in (b"", b"x" * 7, b"x" * 100):
            self.write(content)
            create(self.path, Position(0, 5, True), 2, self.blanks)
            self.assertEqual(load(self.path), (Position(0, 5, True), 2))

    def test_full_disk(self) -> None:
        """A new one that could not be written is gone; an old one stays as it was."""
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        for there in (False, True):
            if there:
                create(self.path, Position(1, 2, True), 7, self.blanks)
            ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
            try:
                where = self.assertRaises(
                    OSError, create, self.path, Position(3, 4, True), 7, self.blanks
                ).filename
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
                signal.signal(signal.SIGXFSZ, ignored)
            self.assertEqual(where, self.path)
            self.assertEqual(os.path.exists(self.path), there)
        self.assertEqual(load(self.path), (Position(1, 2, True), 7))

    def test_never_written(self) -> None:
        """One whose agent died before it wrote is none."""
        self.assertFalse(was_written(self.path))
        self.write(b"")
        self.assertFalse(was_written(self.path))
        self.write(b"x")
        self.assertTrue(was_written(self.path))

    def test_absent(self) -> None:
        """No file, no checkpoint."""
        self.assertIsNone(load(self.path))

    def test_wrong_length(self) -> None:
        """A short or a long one is none."""
        good = pack(Position(1, 2, True)) + bytes(8)
        for content in (b"", good[:-1], good[:17], good + b"x"):
            self.write(content)
            self.assertIsNone(load(self.path), content)

    def test_nonsense(self) -> None:
        """Impossible numbers are none."""
        for content in (b"\xff" * 25, pack(Position(1, 2, True))[:16] + b"\x02" + bytes(8)):
            self.write(content)
            self.assertIsNone(load(self.path), content)

    @settings(deadline=None)
    @given(st.binary(min_size=25, max_size=25))
    def test_any_bytes(self, content: bytes) -> None:
        """Any 25 bytes are a checkpoint or none, never an exception."""
        self.write(content)
        load(self.path)
