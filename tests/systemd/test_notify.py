"""What is said to systemd, over a real socket."""

from __future__ import annotations

import os
import tempfile

from twisted.trial.unittest import SynchronousTestCase

from rqd.systemd.notify import Notifier, say_last
from tests.systemd.sockets import Listener


class NotifierTests(SynchronousTestCase):
    """``Notifier``."""

    def setUp(self) -> None:
        self.systemd = Listener()
        self.addCleanup(self.systemd.close)
        self.notifier = Notifier(self.systemd.address)
        self.addCleanup(self.notifier.close)

    def test_say(self) -> None:
        """Assignments are lines of one datagram, in their order."""
        self.notifier.say(READY=1, STATUS="3 frames")
        self.assertEqual(self.systemd.heard(), [b"READY=1\nSTATUS=3 frames"])

    def test_abstract(self) -> None:
        """An address that begins with @ has no file."""
        with Listener(f"@openrqd-test-{os.getpid()}") as systemd:
            say_last(systemd.address, "no")
            self.assertEqual(systemd.heard(), [b"STATUS=no"])

    def test_line_break(self) -> None:
        """No value can be taken for another assignment."""
        self.notifier.say(STATUS="a\nMAINPID=1")
        self.assertEqual(self.systemd.heard(), [b"STATUS=a MAINPID=1"])

    def test_full(self) -> None:
        """What systemd has no room for holds up nobody, and comes later in its newest form."""
        sent = 0
        while not self.notifier._unsaid:
            self.notifier.say(STATUS=f"{sent}")
            sent += 1
        self.notifier.say(READY=1)
        self.notifier.say(STATUS="newest")
        self.assertEqual(len(self.systemd.heard()), sent - 1)
        self.notifier.say(WATCHDOG=1)
        self.assertEqual(self.systemd.heard(), [b"READY=1\nSTATUS=newest\nWATCHDOG=1"])

    def test_nobody(self) -> None:
        """A socket that isn't there is no trouble: systemd itself is being replaced."""
        with tempfile.TemporaryDirectory() as folder:
            say_last(f"{folder}/socket", "no")
