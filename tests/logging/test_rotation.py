"""Rotating old logs away."""

from __future__ import annotations

import os
import stat

from twisted.trial.unittest import SynchronousTestCase

from rqd.logging.rotation import KEPT, create


class RotationTests(SynchronousTestCase):
    """``create``."""

    def setUp(self) -> None:
        self.folder = os.path.abspath(self.mktemp())
        self.path = os.path.join(self.folder, "a", "b", "job.frame.rqlog")

    def create(self, text: bytes = b"") -> None:
        descriptor = create(self.path, None)
        os.write(descriptor, text)
        os.close(descriptor)

    def text(self, name: str = "") -> bytes:
        with open(self.path + name, "rb") as file:
            return file.read()

    def test_folder_is_made(self) -> None:
        """Missing folders are made, as open as the umask allows; the log itself is 0644."""
        old = os.umask(0o027)
        try:
            self.create()
        finally:
            os.umask(old)
        mode = os.stat(os.path.dirname(self.path)).st_mode
        self.assertEqual(stat.S_IMODE(mode), 0o750)
        self.assertEqual(stat.S_IMODE(os.stat(self.path).st_mode), 0o640)

    def test_rotation(self) -> None:
        """The newest old log is .1."""
        for text in (b"a", b"b", b"c"):
            self.create(text)
        self.assertEqual([self.text(), self.text(".1"), self.text(".2")], [b"c", b"b", b"a"])

    def test_gap(self) -> None:
        """Rotation goes only as far as the first free number."""
        for text in (b"a", b"b", b"c"):
            self.create(text)
        os.unlink(self.path + ".1")
        self.create(b"d")
        self.assertEqual([self.text(), self.text(".1"), self.text(".2")], [b"d", b"c", b"a"])

    def test_oldest_goes(self) -> None:
        """15 are kept."""
        for number in range(KEPT + 3):
            self.create(b"%d" % number)
        self.assertEqual(len(os.listdir(os.path.dirname(self.path))), KEPT + 1)
        self.assertEqual(self.text(f".{KEPT}"), b"2")

    def test_links_are_not_followed(self) -> None:
        """A link in the log's place is rotated away like a log, its target untouched."""
        self.create(b"log")
        target = os.path.join(self.folder, "target")
        with open(target, "wb") as file:
            file.write(b"precious")
        os.unlink(self.path)
        os.symlink(target, self.path)
        self.create(b"new")
        self.assertEqual(os.readlink(self.path + ".1"), target)
        with open(target, "rb") as file:
            self.assertEqual(file.read(), b"precious")

    def test_folder_in_the_way(self) -> None:
        """A folder of the log's name is not ours to move."""
        os.makedirs(self.path)
        self.assertRaises(IsADirectoryError, self.create)

    def test_owner(self) -> None:
        """Log and new folders are given to the frame's user where the agent may do that."""
        descriptor = create(self.path, (1234, 4321))
        os.close(descriptor)
        expected = (1234, 4321) if os.geteuid() == 0 else (os.geteuid(), os.getegid())
        for path in (self.path, os.path.dirname(self.path)):
            facts = os.stat(path)
            self.assertEqual((facts.st_uid, facts.st_gid), expected)
