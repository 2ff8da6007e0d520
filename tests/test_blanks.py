"""Files that are used again: only ours, only empty, never what was planted."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from rqd.blanks import AHEAD, KEPT, Blanks


class BlanksTests(SynchronousTestCase):
    """L{Blanks}, on a real disk."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).resolve()
        self.folder.mkdir()
        self.blanks = Blanks(str(self.folder))
        self.blanks.prepare()

    def make(self, name: str, text: bytes = b"", mode: int = 0o600) -> Path:
        """A file as its user makes it."""
        path = self.folder / name
        made = self.blanks.make(str(path), mode)
        os.write(made, text)
        os.close(made)
        return path

    def kept(self) -> list[Path]:
        return list(self.blanks.folder.iterdir())

    def test_used_again(self) -> None:
        """The next user gets the same inode, with nothing in it and its own mode."""
        first = self.make("first", b"secret", 0o500)
        inode = first.stat().st_ino
        self.blanks.take_back(str(first))
        self.assertFalse(first.exists())
        second = self.make("second", b"x")
        self.assertEqual((second.stat().st_ino, second.read_bytes()), (inode, b"x"))
        self.assertEqual(stat.S_IMODE(second.stat().st_mode), 0o600)
        self.assertEqual(self.kept(), [])

    def test_private(self) -> None:
        """The folder is private, and what waits there is empty and private."""
        self.blanks.take_back(str(self.make("first", b"secret", 0o500)))
        (blank,) = self.kept()
        self.assertEqual(stat.S_IMODE(self.blanks.folder.stat().st_mode), 0o700)
        self.assertEqual((blank.stat().st_size, stat.S_IMODE(blank.stat().st_mode)), (0, 0o600))

    def test_no_more_than_needed(self) -> None:
        """Beyond a number, files go."""
        files = [self.make(str(number)) for number in range(KEPT + 2)]
        for file in files:
            self.blanks.take_back(str(file))
        self.assertEqual(len(self.kept()), KEPT)
        self.assertFalse(any(file.exists() for file in files))

    def test_made_ahead(self) -> None:
        """Some are there before any was used, and no more than some."""
        self.blanks.fill()
        self.blanks.fill()
        self.assertEqual(len(self.kept()), AHEAD)
        self.assertEqual(self.make("first", b"x").read_bytes(), b"x")
        self.assertEqual(len(self.kept()), AHEAD - 1)

    def test_cleared(self) -> None:
        """An agent that stops in order leaves none, whatever frames still give back."""
        late = self.make("late")
        self.blanks.fill()
        self.kept()[0].unlink()
        self.blanks.clear()
        self.blanks.take_back(str(late))
        self.blanks.fill()
        self.assertEqual((self.kept(), late.exists()), ([], False))

    def test_gone_already(self) -> None:
        """What somebody else has removed is no reason to complain."""
        self.blanks.take_back(str(self.folder / "never"))
        self.blanks.take_back(str(self.folder / "lost+found" / "never"))
        path = self.make("file")
        self.blanks.take_back(str(path / "no-folder"))

    def test_blank_gone(self) -> None:
        """A blank that has gone is replaced by a new file."""
        self.blanks.take_back(str(self.make("first")))
        (blank,) = self.kept()
        blank.unlink()
        self.assertTrue(self.make("second", b"x").exists())

    def test_written_meanwhile(self) -> None:
        """A blank that isn't empty any more is nobody's."""
        self.blanks.take_back(str(self.make("first")))
        (blank,) = self.kept()
        blank.write_bytes(b"whoever held it open")
        self.assertEqual(self.make("second").read_bytes(), b"")

    def test_other_name(self) -> None:
        """A file that has another name is not used again: somebody could read along."""
        path = self.make("first", b"x")
        os.link(path, self.folder / "other")
        self.blanks.take_back(str(path))
        self.assertEqual(self.kept(), [])
        self.assertFalse(path.exists())
        self.assertEqual((self.folder / "other").read_bytes(), b"x")

    def test_link(self) -> None:
        """What a link leads to is left alone."""
        target = self.folder / "target"
        target.write_bytes(b"mine")
        link = self.folder / "link"
        link.symlink_to(target)
        self.blanks.take_back(str(link))
        self.assertEqual(
            (self.kept(), target.read_bytes(), link.is_symlink()), ([], b"mine", False)
        )

    def test_something_is_there(self) -> None:
        """What is there already is never written to."""
        planted = self.folder / "planted"
        planted.symlink_to(self.folder / "victim")
        self.assertRaises(FileExistsError, self.make, "planted")
        self.blanks.take_back(str(self.make("first")))
        self.assertEqual(self.make("planted", b"x").read_bytes(), b"x")
        self.assertFalse((self.folder / "victim").exists())

    def test_no_folder(self) -> None:
        """Where blanks can't be kept, files are made and removed."""
        self.blanks.folder.rmdir()
        path = self.make("first")
        self.blanks.take_back(str(path))
        self.assertFalse(path.exists())

    def test_earlier_agent(self) -> None:
        """What an earlier agent kept is not trusted."""
        (self.blanks.folder / "7").write_bytes(b"x")
        self.blanks.prepare()
        self.assertEqual(self.kept(), [])
