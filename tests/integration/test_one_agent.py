"""A second agent on a state folder that is held."""

from __future__ import annotations

import os
import signal

from tests.integration import remains
from tests.integration.commands import OPENRQD, PATIENCE, TWISTD, AgentTestCase
from tests.integration.farm import free_port

FIRST = (*OPENRQD, "--config", "rqd.yaml")
SECOND = (*OPENRQD, "--config", "second.yaml")


class SecondAgentTests(AgentTestCase):
    """The second has the first one's state folder, and a port and an agent's log of its own."""

    def setUp(self) -> None:
        super().setUp()
        self.first = self.start(*FIRST)
        self.report()
        text = (self.folder / "rqd.yaml").read_text()
        text = text.replace(f"rqd_port: {self.port}", f"rqd_port: {free_port()}")
        text = text.replace("agent.log, file_appender: false", "second.log, file_appender: true")
        (self.folder / "second.yaml").write_text(text)

    def start_second(self, *arguments: str) -> str:
        """What it says on its way out, with status 1."""
        self.assertEqual(self.run_to_end(*arguments), 1)
        self.assertNotIn("Traceback", self.everything_said())
        return self.read("err").splitlines()[-1]

    def test_refused(self) -> None:
        """It says who is there, since when and how started; the first one doesn't notice."""
        said = self.start_second(*SECOND)
        self.assertTrue(said.startswith(f"openrqd: another agent, pid {self.first.pid} on "), said)
        self.assertIn(f"holds the state folder {self.folder / 'state'}, ", said)
        self.assertIn(", since 20", said)
        self.assertIn("--config rqd.yaml", said)
        self.assertTrue(self.report().host.name)

    def test_nothing_is_touched(self) -> None:
        """It has not even opened its log."""
        before = sorted(os.listdir(self.folder / "state"))
        self.start_second(*SECOND)
        self.assertEqual(sorted(os.listdir(self.folder / "state")), before)
        self.assertFalse((self.folder / "second.log").exists())

    def test_daemon(self) -> None:
        """Whoever starts a daemon is told who it is, and twistd's log has the rest."""
        self.assertEqual(self.run_to_end(*TWISTD, "openrqd", "--config", "second.yaml"), 1)
        self.assertIn(f"pid {self.first.pid} on ", self.read("err"))
        self.assertIn("--config rqd.yaml", self.read("twistd.log"))
        self.assertFalse((self.folder / "twistd.pid").exists())

    def test_validation(self) -> None:
        """Looking at the configuration needs no state folder of its own."""
        self.assertEqual(self.run_to_end(*SECOND, "--validate-config"), 0)

    def test_after_a_crash(self) -> None:
        """An agent that was killed holds nothing, though its frames go on: they never had it."""
        said, go = self.whistle("said"), self.whistle("go")
        self.launch("ls -l /proc/self/fd >files; echo $$ >said; read x <go")
        frame = int(said.heard())
        self.assertNotIn(str(self.folder / "state"), self.read("temp/files"))
        self.first.send_signal(signal.SIGKILL)
        self.first.wait(PATIENCE)
        self.assertTrue(remains.living(frame))
        self.first = self.start(*FIRST)
        self.report()
        self.assertIn(f"pid {self.first.pid} on ", self.start_second(*SECOND))
        go.say("on")

    def test_after_a_stop(self) -> None:
        """The next one has it as soon as the last one has ended."""
        self.first.terminate()
        self.first.wait(PATIENCE)
        second = self.start(*FIRST)
        self.report()
        second.terminate()
        self.assertEqual(second.wait(PATIENCE), 0)
