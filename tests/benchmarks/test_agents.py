"""How agents are configured for the bench."""

from __future__ import annotations

from configparser import ConfigParser
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from benchmarks.agents import CLASSIC, OURS, TWISTD, known_agents
from rqd.config import load

VALUES = {
    "port": 1234,
    "cuebot_host": "127.0.0.1",
    "cuebot_port": 5678,
    "cores": 1024,
    "timestamps": True,
    "run_as_user": False,
    "workdir": "/tmp/somewhere",
}


class TemplateTests(SynchronousTestCase):
    """A filled template is a configuration that its agent takes."""

    def filled(self, name: str, **values: object) -> str:
        """An agent's configuration."""
        agent = known_agents()[name]
        return agent.fill(agent.template.read_text(), {**VALUES, **values})

    def test_openrqd(self) -> None:
        """Ours loads without a warning and says what the bench wants."""
        path = Path(self.mktemp())
        path.write_text(self.filled(OURS))
        loaded = load(str(path), {"HOME": "/nowhere"})
        self.assertEqual(loaded.warnings, ())
        self.assertEqual(loaded.settings.grpc.rqd_port, 1234)
        self.assertEqual(list(loaded.settings.grpc.cuebot_endpoints), ["127.0.0.1:5678"])
        self.assertTrue(loaded.settings.runner.prepend_timestamp)
        self.assertFalse(loaded.settings.runner.run_as_user)

    def test_classic(self) -> None:
        """The classic agent's is an INI, in which true begins with a capital."""
        parser = ConfigParser()
        parser.read_string(self.filled(CLASSIC, timestamps=False, run_as_user=True))
        self.assertEqual(parser["Override"]["RQD_PREPEND_TIMESTAMP"], "False")
        self.assertEqual(parser["Override"]["RQD_BECOME_JOB_USER"], "True")
        self.assertEqual(parser["Override"]["CUEBOT_GRPC_PORT"], "5678")

    def test_ways(self) -> None:
        """A way that only one agent has is the other one's usual command."""
        agents = known_agents()
        self.assertIn("twistd", agents[OURS].command_of(TWISTD)[0])
        self.assertEqual(agents[CLASSIC].command_of(TWISTD), agents[CLASSIC].command)

    def test_unknown_placeholder(self) -> None:
        """Braces that name nothing stay."""
        self.assertEqual(known_agents()[OURS].fill("{port} {odd} {}", VALUES), "1234 {odd} {}")
