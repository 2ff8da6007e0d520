"""What frames write of themselves is read as they meant it."""

from __future__ import annotations

import subprocess
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.chaos import frames, ledger
from tests.chaos.ledger import Account, Torn


class LedgerTests(SynchronousTestCase):
    """Frames run by a real shell, without an agent."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        self.ledger = self.folder / "ledger"
        self.prelude = self.folder / "frame.sh"
        self.prelude.write_text(frames.prelude(str(self.ledger)))

    def run_frame(self, body: str, output: str = "/dev/stdout") -> tuple[int, bytes, Account]:
        command = frames.Frame("f1", "", body, None).command(str(self.prelude))
        done = subprocess.run(
            ["/bin/sh", "-c", f"exec >>{output} 2>&1; {command}"], capture_output=True, check=False
        )
        with open(self.ledger, encoding="ascii") as lines:
            return done.returncode, done.stdout, ledger.read(lines)["f1"]

    def test_lines(self) -> None:
        """A frame prints numbered lines, says so, and says how it ends."""
        status, printed, account = self.run_frame("say; pour 3; say; over 7")
        self.assertEqual(status, 7)
        self.assertEqual(printed, b"".join(frames.line("f1", n) for n in range(1, 6)))
        self.assertEqual(account, Account(1, [(1, 1), (2, 4), (5, 5)], [], 7))

    def test_full(self) -> None:
        """What the disk refused is said by nobody."""
        _, _, account = self.run_frame("mend() { :; }; say; pour 2; over 0", "/dev/full")
        self.assertEqual(account, Account(1, [], [(1, 1), (2, 3)], 0))

    def test_signal(self) -> None:
        """Who is ended by a signal says nothing of an end."""
        status, _, account = self.run_frame("say; kill -SEGV $$; sleep 9")
        self.assertEqual((status, account), (-11, Account(1, [(1, 1)])))

    def test_torn(self) -> None:
        """By a ledger that is torn nothing can be judged."""
        for text in ("f1 said 1\n", "f1 start x\n", "f1 hello\n", "f1\n"):
            self.assertRaises((Torn, ValueError), ledger.read, [text])
