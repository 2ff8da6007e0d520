"""``openrqd`` itself: it starts, serves, logs, stops and fails as people expect of a command."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import socket
import subprocess
import sys

from rqd import __version__
from tests.environments import SOURCE_TREE
from tests.integration import remains
from tests.integration.commands import OPENRQD, PATIENCE, AgentTestCase

CONFIGURED = (*OPENRQD, "--config", "rqd.yaml")


class QuickTests(AgentTestCase):
    """What ends at once."""

    def test_version(self) -> None:
        """The version, and nothing else."""
        self.assertEqual(self.run_to_end(*OPENRQD, "--version"), 0)
        self.assertEqual(self.everything_said(), f"openrqd {__version__}\n")

    def test_help(self) -> None:
        """The help names every option, and loads no gRPC for that."""
        loaded = "; import sys; sys.exit('grpc' in sys.modules)"
        code = "from rqd.command import main\ntry: main()\nexcept SystemExit: pass\n" + loaded[2:]
        self.assertEqual(self.run_to_end("-c", code, "--help"), 0)
        for option in ("--config", "--validate-config", "--print-config", "--debug", "--version"):
            self.assertIn(option, self.read("out"))

    def test_configuration_error(self) -> None:
        """Every mistake is a line, the exit status is 78."""
        (self.folder / "rqd.yaml").write_text("grpc: {rqd_port: x}\nmachine: {facility: []}\n")
        self.assertEqual(self.run_to_end(*CONFIGURED), 78)
        self.assertEqual(self.read("out"), "")
        lines = self.read("err").splitlines()
        self.assertEqual(len(lines), 2)
        self.assertTrue(all(line.startswith("error: ") for line in lines))


class FailureTests(AgentTestCase):
    """What keeps an agent from serving."""

    def assert_sentence(self, *words: str) -> None:
        """Exit status 1, and a last line on stderr that holds the words; no traceback."""
        self.assertEqual(self.run_to_end(*CONFIGURED), 1)
        self.assertNotIn("Traceback", self.everything_said())
        sentence = self.read("err").splitlines()[-1]
        self.assertTrue(sentence.startswith("openrqd: "), sentence)
        for word in words:
            self.assertIn(word, sentence)

    def test_port_taken(self) -> None:
        """The sentence names the port and who has it; the log on stdout holds it, too."""
        with socket.create_server(("127.0.0.1", self.port)):
            who = f"taken by pid {os.getpid()}, since "
            self.assert_sentence("cannot listen", str(self.port), who, "command line", "trial")
        last = json.loads(self.read("out").splitlines()[-1])
        self.assertEqual(last["level"], "critical")
        self.assertIn(str(self.port), last["message"])

    def test_port_taken_and_log_in_a_file(self) -> None:
        """The sentence is on the terminal and, complete, in the file."""
        self.configure(file_appender=True)
        with socket.create_server(("127.0.0.1", self.port)):
            self.assert_sentence(str(self.port))
        last = json.loads(self.read("agent.log").splitlines()[-1])
        self.assertEqual(last["level"], "critical")

    def test_address_of_another_host(self) -> None:
        """An address that isn't this host's is no matter of who listens there."""
        configuration = self.folder / "rqd.yaml"
        configuration.write_text(configuration.read_text().replace("127.0.0.1,", "192.0.2.1,", 1))
        self.assert_sentence("cannot listen on 192.0.2.1", "the address isn't this host's")

    def test_state_folder(self) -> None:
        """A state folder that can't be made is named."""
        (self.folder / "state").write_text("")
        self.assert_sentence(str(self.folder / "state"))

    def test_log_file(self) -> None:
        """So is an agent's log that can't be opened."""
        self.configure(file_appender=True)
        (self.folder / "agent.log").mkdir()
        self.assert_sentence(str(self.folder / "agent.log"))

    def test_no_processors(self) -> None:
        """And a file of processors that lists none."""
        with open(self.folder / "rqd.yaml", "a") as configuration:
            configuration.write("machine: {cpuinfo_path: /dev/null}\n")
        self.assert_sentence("/dev/null lists no processor")


class ServingTests(AgentTestCase):
    """An agent that serves."""

    def assert_stops(self, number: signal.Signals) -> None:
        process = self.start(*CONFIGURED)
        self.assertEqual(self.report().host.state, 0)
        process.send_signal(number)
        self.assertEqual(process.wait(PATIENCE), 0)
        said = [json.loads(line)["message"] for line in self.read("out").splitlines()]
        self.assertEqual(
            [each for each in said if each.startswith("stopp")],
            ["stopping, frames go on frames=0", "stopped"],
        )
        self.assertIn("Main loop terminated", said[-1])
        self.assertNotIn("Traceback", self.everything_said())

    def test_sigterm(self) -> None:
        """SIGTERM ends it in order: exit status 0, the log complete to its last line."""
        self.assert_stops(signal.SIGTERM)

    def test_sigint(self) -> None:
        """So does Ctrl-C."""
        self.assert_stops(signal.SIGINT)

    def test_many_signals(self) -> None:
        """Several at once end it as one does."""
        process = self.start(*CONFIGURED)
        self.report()
        for number in (signal.SIGSTOP, signal.SIGTERM, signal.SIGINT, signal.SIGCONT):
            process.send_signal(number)
        self.assertEqual(process.wait(PATIENCE), 0)
        self.assertNotIn("Traceback", self.everything_said())
        self.assertIn("stopping already", self.everything_said())

    def test_log_in_a_file(self) -> None:
        """With ``file_appender`` the log is there, to its end, instead of on stdout."""
        self.configure(file_appender=True)
        process = self.start(*CONFIGURED)
        self.report()
        process.terminate()
        self.assertEqual(process.wait(PATIENCE), 0)
        self.assertEqual(self.read("out"), "")
        said = [json.loads(line) for line in self.read("agent.log").splitlines()]
        (serving,) = (line for line in said if line["message"].startswith("serving"))
        self.assertEqual(serving["port"], self.port)
        self.assertIn("Main loop terminated.", [line["message"] for line in said])

    def test_frames_go_on(self) -> None:
        """A frame doesn't notice that the agent stops."""
        self.check_frame_goes_on(signal.SIGTERM)

    def test_frames_go_on_after_a_crash(self) -> None:
        """A frame doesn't notice that the agent dies."""
        self.check_frame_goes_on(signal.SIGKILL)

    def check_frame_goes_on(self, number: signal.Signals) -> None:
        said, go = self.whistle("said"), self.whistle("go")
        process = self.start(*CONFIGURED)
        self.launch("echo $$ >said; read x <go; echo $x; echo $x >said")
        frame = int(said.heard())
        process.send_signal(number)
        process.wait(PATIENCE)
        self.assertTrue(remains.living(frame))
        go.say("went on")
        self.assertEqual(said.heard(), "went on")

    def test_processors_that_are_not_there(self) -> None:
        """A host from fake files offers all its cores; frames that want some of them run."""
        fake = SOURCE_TREE / "etc" / "fake_linux" / "cpuinfo"
        with open(self.folder / "rqd.yaml", "a") as configuration:
            configuration.write(f"machine: {{cpuinfo_path: {fake}}}\n")
        process = self.start(*CONFIGURED)
        self.assertEqual(self.report().core_info.total_cores, 6400)
        said = self.whistle("said")
        self.launch("echo ran >said", num_cores=6400, environment={"CUE_THREADABLE": "1"})
        self.assertEqual(said.heard(), "ran")
        process.terminate()
        process.wait(PATIENCE)

    def test_terminal_that_hangs(self) -> None:
        """A reader of its stdout that reads nothing holds up neither calls nor the stop."""
        reading, writing = os.pipe()
        self.addCleanup(os.close, reading)
        os.set_blocking(writing, False)
        room = fcntl.fcntl(writing, fcntl.F_GETPIPE_SZ)
        os.write(writing, b"x" * room)
        os.set_blocking(writing, True)
        process = subprocess.Popen(
            [sys.executable, *CONFIGURED],
            cwd=self.folder,
            env=self.environment(),
            stdout=writing,
        )
        os.close(writing)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.report()
        process.terminate()
        self.assertEqual(process.wait(PATIENCE), 0)
