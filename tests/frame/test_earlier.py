"""Frames that an earlier agent has left running."""

from __future__ import annotations

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from rqd.frame.earlier import survivors


class SurvivorsTests(SynchronousTestCase):
    """``survivors``, of a state folder and a ``/proc`` that are made up."""

    def setUp(self) -> None:
        self.root = Path(self.mktemp())
        self.frames = self.root / "berths"
        self.frames.mkdir(parents=True)

    def chain(self, key: str, text: bytes) -> Path:
        path = self.frames / f"{key}.chain"
        path.write_bytes(text)
        return path

    def process(self, pid: int, output: Path) -> None:
        """A process whose stdout is this file."""
        folder = self.root / "proc" / str(pid) / "fd"
        folder.mkdir(parents=True)
        (folder / "1").symlink_to(os.path.abspath(output))

    def survivors(self, *known: str) -> list[str]:
        return survivors(str(self.root), frozenset(known), str(self.root / "proc"))

    def test_running(self) -> None:
        """A frame whose supervisor holds its chain file runs, unless this agent knows it."""
        self.process(7, self.chain("a.1", b"born 7\nup\n"))
        self.assertEqual(self.survivors(), ["a.1"])
        self.assertEqual(self.survivors("a.1"), [])

    def test_gone(self) -> None:
        """One whose supervisor is gone does not, whoever has the pid now."""
        self.chain("a.1", b"born 7\nup\nexit 0\n")
        self.assertEqual(self.survivors(), [])
        self.process(7, self.root / "berths")
        self.assertEqual(self.survivors(), [])

    def test_waiting(self) -> None:
        """A supervisor that waits for a frame is none that runs one."""
        self.process(7, self.chain("a.1", b"born 7\n"))
        self.assertEqual(self.survivors(), [])

    def test_over(self) -> None:
        """Nor is one that has run a frame, and waits for the next one."""
        self.process(7, self.chain("a.1", b"born 7\nup\nexit 0\n"))
        self.assertEqual(self.survivors(), [])

    def test_warned(self) -> None:
        """What the chain had to say beside doesn't matter."""
        self.process(7, self.chain("a.1", b"born 7\nsetpriv: careful" + b"!" * 99 + b"\nup\n"))
        self.assertEqual(self.survivors(), ["a.1"])

    def test_odd(self) -> None:
        """What says nothing of a supervisor is no frame that runs."""
        for number, text in enumerate(
            (b"", b"born", b"born x\n", b"up\n", b"born 99999999999\nup\n")
        ):
            self.chain(f"a.{number}", text)
        (self.frames / "folder.chain").mkdir()
        self.assertEqual(self.survivors(), [])

    def test_no_folder(self) -> None:
        """A state folder without frames has none."""
        self.assertEqual(survivors(self.mktemp(), frozenset()), [])
