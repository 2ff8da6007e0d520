"""Statuses and signals, as Cuebot wants them."""

from __future__ import annotations

import signal

from hypothesis import example, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rqd.frame.exits import VANISHED, ChainReport, Exit, from_shell, from_wait, read_chain

SIGNALS = {int(number) for number in signal.valid_signals()}


class DecodeTests(SynchronousTestCase):
    """L{from_shell} and L{from_wait}."""

    def test_own_status(self) -> None:
        """An end by itself keeps its status, the odd ones included."""
        for status in (0, 1, 2, 77, 126, 127, 128, 200, 255):
            self.assertEqual(from_shell(status), Exit(status, 0))

    def test_shell_status(self) -> None:
        """A shell's 128+n is an end by signal n, reported as status 1."""
        self.assertEqual(from_shell(139), Exit(1, signal.SIGSEGV))
        self.assertEqual(from_shell(143), Exit(1, signal.SIGTERM))
        self.assertEqual(from_shell(137), Exit(1, signal.SIGKILL))

    def test_every_status(self) -> None:
        """All 256: a signal where there is one of that number, else just a status."""
        for status in range(256):
            number = status - 128
            wanted = Exit(1, number) if number > 0 and number in SIGNALS else Exit(status)
            self.assertEqual(from_shell(status), wanted)
            self.assertEqual(from_wait(status << 8), wanted)

    def test_killed_supervisor(self) -> None:
        """A supervisor that was killed itself ends as its signal, core dumped or not."""
        self.assertEqual(from_wait(signal.SIGKILL), Exit(1, signal.SIGKILL))
        self.assertEqual(from_wait(signal.SIGSEGV | 0x80), Exit(1, signal.SIGSEGV))

    def test_failed(self) -> None:
        """Only 0 without a signal is a success."""
        self.assertFalse(Exit(0).failed)
        self.assertTrue(Exit(3).failed)
        self.assertTrue(Exit(0, 33).failed)

    def test_vanished(self) -> None:
        """A frame that left no trace of its end ends as 1, 19."""
        self.assertEqual((VANISHED.status, VANISHED.signal), (1, 19))


class ReadChainTests(SynchronousTestCase):
    """L{read_chain}."""

    def test_whole(self) -> None:
        """A frame that ran tells who it was, that it began, and how it ended."""
        report = read_chain(b"born 123\nup\nexit 3\n")
        self.assertEqual(report, ChainReport("123", True, Exit(3), ""))

    def test_nothing(self) -> None:
        """A chain that never wrote tells nothing."""
        self.assertEqual(read_chain(b""), ChainReport("", False, None, ""))

    def test_running(self) -> None:
        """Without an exit line there is no exit."""
        self.assertEqual(read_chain(b"born 9\nup\n"), ChainReport("9", True, None, ""))

    def test_refused_start(self) -> None:
        """What a link said explains a start that failed."""
        said = b"born 9\nsetpriv: setresuid failed: Operation not permitted\nexit 127\n"
        report = read_chain(said)
        self.assertFalse(report.started)
        self.assertEqual(report.said, "setpriv: setresuid failed: Operation not permitted")
        self.assertEqual(report.exit, Exit(127))

    def test_torn_exit(self) -> None:
        """An exit line without its line break was never written: 1 may be 139."""
        report = read_chain(b"born 9\nup\nexit 1")
        self.assertIsNone(report.exit)
        self.assertEqual(report.said, "exit 1")

    def test_torn_up(self) -> None:
        """The same holds for the start."""
        self.assertFalse(read_chain(b"born 9\nup").started)

    def test_second_birth(self) -> None:
        """The first birth counts: it was written before anything else could be."""
        self.assertEqual(read_chain(b"born 9\nborn 10\n").born, "9")

    def test_odd_exits(self) -> None:
        """What is no exit status is a remark."""
        for odd in ("", "x", "-1", "1 2", "²", "1000", "9" * 5000):
            report = read_chain(f"up\nexit {odd}\n".encode())
            self.assertIsNone(report.exit)
            self.assertEqual(report.said, f"exit {odd}")

    @given(
        st.binary()
        | st.lists(
            st.sampled_from([b"born ", b"up", b"exit ", b"\n", b"139", b"\xff", b" "])
            | st.text(max_size=5).map(str.encode)
        ).map(b"".join)
    )
    @example("exit ²\n".encode())
    def test_any_bytes(self, text: bytes) -> None:
        """Whatever stands there is read with suspicion, never with an exception."""
        report = read_chain(text)
        if report.exit is not None:
            self.assertIn(b"exit", text)
        if report.started:
            self.assertIn(b"up\n", text)

    @given(st.integers(0, 255))
    def test_every_cut(self, status: int) -> None:
        """However short a chain file was cut, no end is read that wasn't written whole."""
        whole = b"born 1\nup\nexit %d\n" % status
        for length in range(len(whole)):
            self.assertIsNone(read_chain(whole[:length]).exit)
        self.assertEqual(read_chain(whole).exit, from_shell(status))
