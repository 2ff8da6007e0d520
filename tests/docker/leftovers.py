"""What is left behind: the last of ``make test-docker``."""

from __future__ import annotations

from tests.docker.case import DockerCase, retire
from tests.docker.engine import SMALL


class EngineTests(DockerCase):
    """The end of the engine that all tests before this one have used."""

    def test_nothing(self) -> None:
        """It leaves no process, mount, control group or file, whatever became of it."""
        self.engine.run("run", "-d", "--network=host", SMALL, "sleep", "900")
        self.engine.kill()
        retire()
