"""A log file among people and hosts that move it about."""

from __future__ import annotations

import os

from twisted.trial.unittest import SynchronousTestCase

from rqd.logging.logfile import LogFile


class LogFileTests(SynchronousTestCase):
    """``LogFile``."""

    def setUp(self) -> None:
        self.folder = os.path.abspath(self.mktemp())
        self.path = os.path.join(self.folder, "job.frame.rqlog")
        self.log = LogFile(self.path, 0, None)
        self.addCleanup(self.log.abandon)
        self.log.create(b"header\n", lambda: None)

    def text(self, name: str = "") -> bytes:
        with open(self.path + name, "rb") as file:
            return file.read()

    def add(self, text: bytes) -> None:
        self.log.open()
        self.log.append([text])
        self.log.close()

    def test_append(self) -> None:
        """What is added comes at the end; the size is that before."""
        self.assertEqual(self.log.open(), 7)
        self.assertEqual(self.log.append([b"one\n", b"two\n"]), 8)
        self.assertEqual(self.log.open(), 15)
        self.assertEqual(self.text(), b"header\none\ntwo\n")

    def test_many_pieces(self) -> None:
        """More pieces than the system takes at once are written all the same."""
        self.log.open()
        self.assertEqual(self.log.append([b"x"] * 5000), 5000)
        self.assertEqual(self.text(), b"header\n" + b"x" * 5000)

    def test_rotated(self) -> None:
        """Rotated by another host it is found again under its new name."""
        os.rename(self.path, self.path + ".3")
        with open(self.path, "wb") as other:
            other.write(b"other\n")
        self.add(b"ours\n")
        self.assertEqual(self.text(".3"), b"header\nours\n")
        self.assertEqual(self.text(), b"other\n")

    def test_removed(self) -> None:
        """Removed it is made anew, also with its folder, also while it is open."""
        self.log.open()
        os.unlink(self.path)
        os.rmdir(self.folder)
        self.add(b"ours\n")
        self.assertEqual(self.text(), b"ours\n")

    def test_edited(self) -> None:
        """An editor's new file of the same name is taken."""
        os.rename(self.path, self.path + "~")
        with open(self.path, "wb") as file:
            file.write(b"edited\n")
        self.add(b"ours\n")
        self.assertEqual(self.text(), b"edited\nours\n")

    def test_replaced_by_something_else(self) -> None:
        """Links, pipes and files with other names are not written to, and block nobody."""
        precious = os.path.join(self.folder, "precious")
        for replace in (
            lambda: os.symlink(precious, self.path),
            lambda: os.link(precious, self.path),
            lambda: os.mkfifo(self.path),
        ):
            with open(precious, "wb") as file:
                file.write(b"precious")
            os.unlink(self.path)
            replace()
            self.assertRaises(OSError, self.log.open)
            with open(precious, "rb") as file:
                self.assertEqual(file.read(), b"precious")

    def test_header_that_does_not_fit(self) -> None:
        """A log that takes no header is not left behind."""

        class Full(LogFile):
            def append(self, pieces):
                raise OSError(28, "No space left on device")

        log = Full(self.path, 0, None)
        self.assertRaises(OSError, log.create, b"header\n", lambda: None)
        self.assertEqual(os.listdir(self.folder), [os.path.basename(self.path) + ".1"])
        self.assertFalse(log.is_open)

    def test_ends_line(self) -> None:
        """Whether the last line is whole can be asked."""
        self.assertTrue(self.log.ends_line(self.log.open()))
        self.log.append([b"par"])
        self.assertFalse(self.log.ends_line(self.log.open()))
        self.assertTrue(self.log.ends_line(0))
