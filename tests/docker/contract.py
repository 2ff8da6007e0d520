"""A real engine, as the agent asks it."""

from __future__ import annotations

import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from rqd.config.settings import DockerSettings
from rqd.containers.engine import DockerEngine
from rqd.containers.members import Begun, begun, search
from tests.containers.engine_contract import LIVES, EngineContract
from tests.docker.case import engine
from tests.docker.engine import LARGER


class DockerEngineTests(EngineContract, SynchronousTestCase):
    """It passes the contract of engines, as the fake one does."""

    image, far = LARGER, "127.0.0.1:1/none:1"

    def setUp(self) -> None:
        self.engine = DockerEngine(DockerSettings(socket=engine().socket))
        self.away = DockerEngine(DockerSettings(socket="unix:///nowhere/docker.sock"))
        folder = tempfile.TemporaryDirectory(prefix="openrqd-test-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def test_search(self) -> None:
        """As what a container runs can be found without it, until that is over."""
        name = self.make("openrqd-searched", LIVES)
        self.engine.start(name)
        found = self.engine.look(name)
        assert found is not None
        self.assertEqual(search(name), begun(found.pid))
        self.assertTrue(search(name).group)
        self.engine.remove(name)
        self.assertEqual(search(name), Begun())
