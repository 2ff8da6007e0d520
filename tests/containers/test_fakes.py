"""L{FakeEngine} says what a real engine says."""

from __future__ import annotations

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.containers.engine_contract import LIVES, STATUS, EngineContract
from tests.containers.fakes import FakeEngine


class FakeEngineTests(EngineContract, SynchronousTestCase):
    """The engine in memory passes the contract of engines."""

    image, far = "small", "nowhere"

    def setUp(self) -> None:
        self.engine: FakeEngine = FakeEngine()
        self.away = FakeEngine()
        self.away.away = "gone"
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.ended = self.engine.exit

    def will(self, command: str) -> None:
        if command == LIVES:
            self.engine.says = b"born 7\nup\n"
            self.engine.exit = self.ended._replace(running=True, pid=os.getpid())
        else:
            self.engine.says = b"born 7\nup\noom 0\nexit %d\n" % STATUS
            self.engine.exit = self.ended._replace(exit_code=STATUS)
