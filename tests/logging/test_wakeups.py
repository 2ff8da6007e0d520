"""Real inotify; the test plays the reactor and reads when it wants to."""

from __future__ import annotations

import os

from twisted.trial.unittest import SynchronousTestCase

from rqd.logging.wakeups import Wakeups


class ReaderSet:
    """As much of a reactor as a descriptor needs."""

    def __init__(self) -> None:
        self.readers: set[object] = set()

    def addReader(self, reader: object) -> None:
        self.readers.add(reader)

    def removeReader(self, reader: object) -> None:
        self.readers.discard(reader)


class WakeupsTests(SynchronousTestCase):
    """``Wakeups``."""

    def setUp(self) -> None:
        self.reactor = ReaderSet()
        self.wakeups = Wakeups(reactor=self.reactor)
        self.addCleanup(self.wakeups.stop)
        self.path = os.path.abspath(self.mktemp())
        self.write(self.path, b"")
        self.woken = 0

    def write(self, path: str, text: bytes = b"text") -> None:
        with open(path, "ab") as file:
            file.write(text)

    def wake(self) -> None:
        self.woken += 1

    def test_write(self) -> None:
        """A write wakes once, however many follow."""
        self.wakeups.arm(self.path, self.wake)
        self.wakeups.doRead()
        self.assertEqual(self.woken, 0)
        for _ in range(5):
            self.write(self.path)
        self.wakeups.doRead()
        self.assertEqual(self.woken, 1)
        self.wakeups.doRead()
        self.assertEqual(self.woken, 1)

    def test_again(self) -> None:
        """A watch that has fired can be armed again."""
        for expected in (1, 2, 3):
            self.wakeups.arm(self.path, self.wake)
            self.write(self.path)
            self.wakeups.doRead()
            self.assertEqual(self.woken, expected)

    def test_truncation(self) -> None:
        """Truncating a file is news as well."""
        self.write(self.path)
        self.wakeups.arm(self.path, self.wake)
        os.truncate(self.path, 0)
        self.wakeups.doRead()
        self.assertEqual(self.woken, 1)

    def test_disarm(self) -> None:
        """A watch that was given up wakes nobody; giving it up twice is harmless."""
        token = self.wakeups.arm(self.path, self.wake)
        self.wakeups.disarm(token)
        self.wakeups.disarm(token)
        self.write(self.path)
        self.wakeups.doRead()
        self.assertEqual(self.woken, 0)

    def test_deleted_file(self) -> None:
        """A watched file that is deleted takes no other watch with it."""
        other = self.path + ".other"
        self.write(other)
        self.wakeups.arm(other, lambda: None)
        self.wakeups.arm(self.path, self.wake)
        os.unlink(other)
        self.write(self.path)
        self.wakeups.doRead()
        self.assertEqual(self.woken, 1)

    def test_failing_callback(self) -> None:
        """A log that fails at its wake-up keeps no other asleep, and is reported."""
        other = self.path + ".other"
        self.write(other)
        self.wakeups.arm(other, lambda: 1 // 0)
        self.wakeups.arm(self.path, self.wake)
        self.write(other)
        self.write(self.path)
        self.wakeups.doRead()
        self.assertEqual(self.woken, 1)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_missing_file(self) -> None:
        """What can't be watched is said by None, not by an exception."""
        self.assertIsNone(self.wakeups.arm(self.path + ".none", self.wake))

    def test_nothing_open_before_it_is_needed(self) -> None:
        """The descriptor is opened by the first watch (the daemon forks before), closed by stop."""
        self.assertEqual(self.reactor.readers, set())
        self.wakeups.arm(self.path, self.wake)
        self.assertEqual(self.reactor.readers, {self.wakeups})
        self.assertFalse(os.get_inheritable(self.wakeups.fileno()))
        self.wakeups.stop()
        self.assertEqual(self.reactor.readers, set())
        self.assertEqual(self.wakeups.fileno(), -1)
