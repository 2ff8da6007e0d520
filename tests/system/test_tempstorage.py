"""The space of the temp folder, whatever its file system does."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from rqd.system.tempstorage import UNKNOWN_SPACE, Space, TempStorage, measure


class SlowWorker:
    """A worker whose work is done when the test says so."""

    def __init__(self) -> None:
        self.pending: list[tuple[Callable[[], Any], Deferred[Any]]] = []

    def __call__(self, function: Callable[[], Any]) -> Deferred[Any]:
        done: Deferred[Any] = Deferred()
        self.pending.append((function, done))
        return done

    def work(self) -> None:
        """Do the oldest piece of work."""
        function, done = self.pending.pop(0)
        try:
            result = function()
        except OSError:
            done.errback()
        else:
            done.callback(result)


class MeasureTests(SynchronousTestCase):
    """``measure``, on this host's own file system."""

    def test_creates(self) -> None:
        """A missing folder is made, with those above it."""
        path = os.path.join(self.mktemp(), "a", "b")
        space = measure(path)
        self.assertTrue(os.path.isdir(path))
        self.assertTrue(0 < space.free <= space.total)

    def test_kib_of_the_link_s_target(self) -> None:
        """A link is followed, and blocks of whatever size become KiB."""
        path = self.mktemp()
        os.symlink("/", path)
        found = os.statvfs("/")
        self.assertEqual(measure(path).total, found.f_blocks * found.f_frsize // 1024)


class TempStorageTests(SynchronousTestCase):
    """``TempStorage``."""

    def setUp(self) -> None:
        self.worker = SlowWorker()
        self.path = self.mktemp()
        self.storage = TempStorage(self.path, in_worker=self.worker)

    def test_unknown_at_first(self) -> None:
        """Until the first answer nothing is known, and the start waits for it."""
        started = self.storage.start()
        self.assertEqual(self.storage.space, UNKNOWN_SPACE)
        self.assertNoResult(started)
        self.worker.work()
        self.successResultOf(started)
        self.assertNotEqual(self.storage.space, UNKNOWN_SPACE)

    def test_hang(self) -> None:
        """While a measurement hangs the last value stands, and no other is begun."""
        self.storage.space = Space(7, 5)
        for _ in range(3):
            self.storage.refresh()
        self.assertEqual(len(self.worker.pending), 1)
        self.assertEqual(self.storage.space, Space(7, 5))

    def test_goes_on(self) -> None:
        """After each answer the next measurement can begin."""
        for _ in range(2):
            self.storage.refresh()
            self.worker.work()
        self.storage.refresh()
        self.assertEqual(len(self.worker.pending), 1)

    def test_failure(self) -> None:
        """Storage that fails is unknown, is said to fail, and is measured again."""
        with open(self.path, "w"):
            pass
        started = self.storage.start()
        with capturedLogs() as events:
            self.worker.work()
        self.successResultOf(started)
        self.assertEqual(self.storage.space, UNKNOWN_SPACE)
        self.assertIn(self.path, [event.get("path") for event in events])
        os.remove(self.path)
        self.storage.refresh()
        self.worker.work()
        self.assertNotEqual(self.storage.space, UNKNOWN_SPACE)
