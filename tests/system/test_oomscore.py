"""Whom the kernel kills first."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from rqd.system.oomscore import AGENT, protect_agent
from tests.system.fake_proc import FakeProc


class ProtectTests(SynchronousTestCase):
    """L{protect_agent}, in a made-up C{/proc}."""

    def setUp(self) -> None:
        self.proc = FakeProc(self.mktemp())

    def protected(self, before: str) -> int:
        path = Path(self.proc.write("self/oom_score_adj", before))
        protect_agent(self.proc.root)
        return int(path.read_text().split()[-1])

    def test_protects(self) -> None:
        """The agent is among the last that are killed."""
        self.assertEqual(self.protected("0\n"), AGENT)

    def test_protected_better(self) -> None:
        """An agent that was started with a better protection keeps it."""
        self.assertEqual(self.protected("-1000\n"), -1000)

    def test_not_to_be_had(self) -> None:
        """Where it may not, or there is no such thing, the agent lives on without."""
        protect_agent("/nonexistent")
        self.protected("")
