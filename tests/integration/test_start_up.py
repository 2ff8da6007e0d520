"""What a start costs: modules that an agent which serves has no use for."""

from __future__ import annotations

from tests.integration.agent import Agent, AgentCase, on_agent

#: Packages and modules that are heavy, and what would need them.
UNWANTED = frozenset(
    {
        # Containers, GPUs, screens, metrics: imported when they are configured or asked for.
        *("docker", "requests", "psutil", "pynvml", "Xlib", "prometheus_client"),
        # What only twistd, or somebody who debugs a program under it, needs.
        *("twisted.application", "twisted.plugin", "twisted.scripts", "pdb", "zipfile"),
        # Twisted's client service; its backoff is wanted once a call has failed, not before.
        "automat",
        # What a start needs a little of, and does itself.
        *("tempfile", "hashlib", "secrets"),
        # What Twisted names for others (see ``rqd.lean``).
        *("http.client", "urllib.request", "email.message"),
        # Looking through what is installed.
        *("importlib.metadata", "pkg_resources", "setuptools"),
        # Parts of ours that other commands need.
        *("rqd.config.rendering", "rqd.rereading", "rqd.twistd_service", "dummy_cuebot"),
        # What a service of systemd needs.
        "rqd.systemd",
    }
)


def imported(log: bytes) -> set[str]:
    """The modules in what ``python -X importtime`` said, and the packages that they are of."""
    prefix = "import time:"
    lines = [line for line in log.decode().splitlines() if line.startswith(prefix)]
    modules = {line.rpartition("|")[2].strip() for line in lines}
    return modules | {name.rpartition(".")[0] for name in modules}


class StartUpTests(AgentCase):
    """``openrqd``, once Cuebot has its startup report."""

    @on_agent("export PYTHONPROFILEIMPORTTIME=1")
    async def test_imports(self, agent: Agent) -> None:
        """An agent that serves and reports has imported nothing that it doesn't use."""
        agent.report()
        modules = imported(agent.log)
        self.assertIn("rqd.servant.server", modules)
        self.assertEqual(modules & UNWANTED, set())
