"""Old files that no frame needs go, however long the agent lives."""

from __future__ import annotations

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from rqd.frame.housekeeping import PAUSE, Housekeeping
from tests.frame.place import Place


class HousekeepingTests(SynchronousTestCase):
    """L{Housekeeping}, a day later."""

    def setUp(self) -> None:
        self.place = Place(self)
        self.housekeeping = Housekeeping(
            self.place.site.records,
            reactor=self.place.reactor,
            disk=self.place.disk,
            keys=self.place.roster.keys,
        )
        self.housekeeping.start()
        self.addCleanup(self.housekeeping.stop)

    def old(self, name: str) -> Path:
        """A file of the frames' folder that nobody has touched for long."""
        path = self.place.site.records.folder / name
        path.touch()
        os.utime(path, (0, 0))
        return path

    def test_old(self) -> None:
        """What no frame needs goes, once a day."""
        for name in ("a.spool", "b.checkpoint"):
            path = self.old(name)
            self.place.reactor.advance(PAUSE - 1)
            self.assertTrue(path.exists())
            self.place.reactor.advance(1)
            self.assertFalse(path.exists())

    def test_needed(self) -> None:
        """A frame that says nothing for days keeps its spool, also when it is over and not told."""
        frame = self.place.launch()
        spool = self.old(f"{frame.key}.spool")
        self.place.reactor.advance(PAUSE)
        self.assertTrue(spool.exists())
        self.place.process.begin()
        self.place.process.end(0)
        self.place.turn()
        self.place.reactor.advance(PAUSE)
        self.assertTrue(spool.exists())

    def test_fails(self) -> None:
        """A disk that fails is looked at again the next day."""
        path = self.old("a.spool")
        self.place.workers.broken["state"] = OSError(5, "no")
        self.place.reactor.advance(PAUSE)
        self.place.workers.broken.clear()
        self.assertTrue(path.exists())
        self.place.reactor.advance(PAUSE)
        self.assertFalse(path.exists())
