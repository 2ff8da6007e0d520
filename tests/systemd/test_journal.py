"""The log as entries of the journal, over a real socket."""

from __future__ import annotations

import os
import struct

from twisted.logger import LogLevel
from twisted.trial.unittest import SynchronousTestCase

from rqd.log import Logger
from rqd.systemd.journal import LONGEST, Journal, is_ours
from tests.systemd.sockets import Listener


def fields(datagram: bytes) -> dict[bytes, bytes]:
    """An entry as the journal reads it."""
    found = {}
    while datagram:
        line, _, datagram = datagram.partition(b"\n")
        name, plain, value = line.partition(b"=")
        if not plain:
            (size,) = struct.unpack("<Q", datagram[:8])
            value, datagram = datagram[8 : 8 + size], datagram[9 + size :]
        found[name] = value
    return found


class JournalTests(SynchronousTestCase):
    """``Journal``."""

    def setUp(self) -> None:
        self.journald = Listener()
        self.addCleanup(self.journald.close)
        self.journal = Journal(self.journald.address)
        self.log = Logger(observer=self.journal, namespace="rqd.test")

    def entries(self) -> list[dict[bytes, bytes]]:
        return [fields(datagram) for datagram in self.journald.heard()]

    def test_fields(self) -> None:
        """The message, its weight, and each plain value by its name."""
        self.log.warn("late frame_id={frame_id}", frame_id="a-b", job="s-j", pid=7, other=[1])
        (entry,) = self.entries()
        self.assertEqual(
            entry,
            {
                b"MESSAGE": b"late frame_id=a-b",
                b"PRIORITY": b"4",
                b"SYSLOG_IDENTIFIER": b"openrqd",
                b"OPENRQD_LOGGER": b"rqd.test",
                b"OPENRQD_FRAME_ID": b"a-b",
                b"OPENRQD_JOB": b"s-j",
                b"OPENRQD_PID": b"7",
            },
        )

    def test_line_breaks(self) -> None:
        """A value of several lines is one value, and forges no field."""
        self.log.info("{why}", why="a\nPRIORITY=0\n")
        (entry,) = self.entries()
        self.assertEqual(entry[b"OPENRQD_WHY"], b"a\nPRIORITY=0\n")
        self.assertEqual(entry[b"PRIORITY"], b"6")

    def test_odd_names(self) -> None:
        """What the journal would not take for a name is left out."""
        self.journal({"log_format": "x", "log_level": LogLevel.info, "Größe": 1, "a=b": 2})
        (entry,) = self.entries()
        self.assertEqual(len(entry), 4)

    def test_failure(self) -> None:
        """A traceback is part of the message."""
        try:
            raise ZeroDivisionError("no")
        except ZeroDivisionError:
            self.log.failure("odd")
        (entry,) = self.entries()
        self.assertIn(b"ZeroDivisionError: no", entry[b"MESSAGE"])
        self.assertEqual(entry[b"PRIORITY"], b"2")

    def test_long(self) -> None:
        """A value that no datagram would hold is cut."""
        self.log.info("{why}", why="x" * (1 << 20))
        (entry,) = self.entries()
        self.assertEqual(len(entry[b"OPENRQD_WHY"]), LONGEST)

    def test_full(self) -> None:
        """What the journal has no room for is dropped, and counted where it is missing."""
        sent = 0
        while not self.journal._dropped:
            self.log.info("n")
            sent += 1
        self.log.info("n")
        self.assertEqual(len(self.journald.heard()), sent - 1)
        self.log.info("again")
        gap, last = self.entries()
        self.assertIn(b"lines=2", gap[b"MESSAGE"])
        self.assertEqual(last[b"MESSAGE"], b"again")

    def test_whose(self) -> None:
        """The journal reads our output only if that is what the variable names."""
        facts = os.stat(os.devnull)
        with open(os.devnull, encoding="ascii") as output:
            ours = {"JOURNAL_STREAM": f"{facts.st_dev}:{facts.st_ino}"}
            self.assertTrue(is_ours(ours, output.fileno()))
            self.assertFalse(is_ours({"JOURNAL_STREAM": "1:2"}, output.fileno()))
            self.assertFalse(is_ours({}, output.fileno()))
        self.assertFalse(is_ours(ours, -1))
