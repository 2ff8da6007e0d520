"""``twistd openrqd``, detached and not: a daemon with everything that twistd lends to one."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat

from tests.integration import remains
from tests.integration.commands import PATIENCE, TWISTD, TWISTD_N, AgentTestCase

BEFORE_THE_FORK = """
import os, sys, threading
from twisted.internet import reactor

def files():
    return {n: os.readlink(f"/proc/self/fd/{n}") for n in os.listdir("/proc/self/fd")
            if os.path.exists(f"/proc/self/fd/{n}")}

before = files()
from rqd.tap import Options, makeService
options = Options()
options.parseOptions(["--config", "rqd.yaml"])
makeService(options)
print(files() == before, threading.active_count(), "grpc" in sys.modules)
"""


class ForkTests(AgentTestCase):
    """What twistd does before it forks."""

    def test_nothing_is_open(self) -> None:
        """A service that was made has opened no file and no thread, and hasn't imported gRPC."""
        self.configure(file_appender=True)
        self.assertEqual(self.run_to_end("-c", BEFORE_THE_FORK), 0)
        self.assertEqual(self.everything_said(), "True 1 False\n")
        self.assertEqual(sorted(os.listdir(self.folder)), ["err", "out", "rqd.yaml"])


class DaemonTests(AgentTestCase):
    """``twistd openrqd``."""

    def detach(self, *options: str, umask: int = 0o022) -> int:
        """The pid of a daemon that was started so."""
        self.assertEqual(self.run_to_end(*TWISTD, *options, *self.agent_options, umask=umask), 0)
        self.assertEqual(self.everything_said(), "")
        return self.pid_in("twistd.pid")

    agent_options = ("openrqd", "--config", "rqd.yaml")

    def assert_stops(self, number: signal.Signals) -> None:
        pid = self.detach()
        self.assertEqual(self.report().host.facility, "cloud")
        os.kill(pid, number)
        self.wait_for_end(pid)
        self.assertFalse((self.folder / "twistd.pid").exists())
        log = self.read("twistd.log")
        self.assertIn("Server Shut Down", log)
        self.assertNotIn("Traceback", log)

    def test_sigterm(self) -> None:
        """It serves once its starter has ended, and stops in order, pid file and all."""
        self.assert_stops(signal.SIGTERM)

    def test_sigint(self) -> None:
        """SIGINT stops it as well."""
        self.assert_stops(signal.SIGINT)

    def test_files(self) -> None:
        """Pid file and log are where the options say; the pid is that of the daemon."""
        self.assertEqual(
            self.run_to_end(*TWISTD, "--pidfile=a.pid", "--logfile=a.log", *self.agent_options), 0
        )
        pid = self.pid_in("a.pid")
        self.report()
        self.assertIn(f"port={self.port}", self.read("a.log"))
        os.kill(pid, signal.SIGTERM)
        self.wait_for_end(pid)
        names = set(os.listdir(self.folder))
        self.assertTrue({"a.log"} <= names and not {"a.pid", "twistd.log"} & names, names)

    def test_log_file_of_its_own(self) -> None:
        """The agent's own log file is complete though twistd lets the process die of the signal."""
        self.configure(file_appender=True)
        pid = self.detach()
        self.report()
        os.kill(pid, signal.SIGTERM)
        self.wait_for_end(pid)
        said = [json.loads(line)["message"] for line in self.read("agent.log").splitlines()]
        self.assertIn("stopped", said)

    def umask_of_frames(self, *options: str, umask: int) -> str:
        pid = self.detach(*options, umask=umask)
        said = self.whistle("said")
        self.launch("umask >said")
        found = said.heard()
        frames = (self.folder / "state" / "frames").stat()
        self.assertEqual(stat.S_IMODE(frames.st_mode), 0o700)
        os.kill(pid, signal.SIGTERM)
        self.wait_for_end(pid)
        return found

    def test_umask(self) -> None:
        """Frames have the umask that the options say."""
        self.assertEqual(self.umask_of_frames("--umask=027", umask=0o022), "0027")

    def test_umask_of_the_starter(self) -> None:
        """Without, they have that of whoever started the daemon, not the daemon's own."""
        self.assertEqual(self.umask_of_frames(umask=0o002), "0002")

    def test_frames_go_on(self) -> None:
        """A frame doesn't notice that the daemon stops."""
        daemon = self.detach()
        said, go = self.whistle("said"), self.whistle("go")
        self.launch("echo $$ >said; read x <go; echo $x >said")
        frame = int(said.heard())
        os.kill(daemon, signal.SIGTERM)
        self.wait_for_end(daemon)
        self.assertTrue(remains.living(frame))
        go.say("went on")
        self.assertEqual(said.heard(), "went on")

    def test_second_one(self) -> None:
        """A second daemon with the same pid file is refused by twistd; the first one goes on."""
        pid = self.detach()
        self.assertEqual(self.run_to_end(*TWISTD, *self.agent_options), 1)
        self.assertIn(str(pid), self.read("err"))
        self.assertTrue(self.report().host.name)

    def test_port_taken(self) -> None:
        """Whoever started it reads the port and gets status 1; the log tells all; no pid file."""
        with socket.create_server(("127.0.0.1", self.port)):
            self.assertEqual(self.run_to_end(*TWISTD, *self.agent_options), 1)
        self.assertIn(f"cannot listen on 127.0.0.1:{self.port}", self.read("err"))
        self.assertIn(f"cannot listen on 127.0.0.1:{self.port}", self.read("twistd.log"))
        self.assertNotIn("Traceback", self.everything_said() + self.read("twistd.log"))
        self.assertFalse((self.folder / "twistd.pid").exists())

    def test_configuration_error(self) -> None:
        """It never forks: the mistakes are on the terminal, the status is 78."""
        (self.folder / "rqd.yaml").write_text("grpc: {rqd_port: x}\n")
        self.assertEqual(self.run_to_end(*TWISTD, *self.agent_options), 78)
        self.assertIn("error: grpc.rqd_port: ", self.read("err"))
        self.assertEqual(sorted(os.listdir(self.folder)), ["err", "out", "rqd.yaml"])


class ForegroundTests(AgentTestCase):
    """``twistd -n openrqd``."""

    arguments = (*TWISTD_N, "--config", "rqd.yaml")

    def assert_stops(self, number: signal.Signals) -> None:
        process = self.start(*self.arguments)
        self.assertTrue(self.report().host.name)
        self.assertEqual(self.read("twistd.pid"), str(process.pid))
        process.send_signal(number)
        # Twisted's own habit: when all is stopped, die of the signal, as a shell expects it.
        self.assertEqual(process.wait(PATIENCE), -number)
        self.assertFalse((self.folder / "twistd.pid").exists())
        self.assertIn("Server Shut Down", self.read("out"))
        self.assertNotIn("Traceback", self.everything_said())

    def test_sigterm(self) -> None:
        """It logs to stdout, serves, and stops in order."""
        self.assert_stops(signal.SIGTERM)

    def test_sigint(self) -> None:
        """Ctrl-C stops it as well."""
        self.assert_stops(signal.SIGINT)

    def test_umask(self) -> None:
        """``--umask`` is that of frames here, too."""
        process = self.start(*TWISTD, "-n", "--umask=007", "openrqd", "--config", "rqd.yaml")
        said = self.whistle("said")
        self.launch("umask >said")
        self.assertEqual(said.heard(), "0007")
        process.terminate()
        process.wait(PATIENCE)

    def test_port_taken(self) -> None:
        """A sentence with the port, status 1, no traceback, no pid file."""
        with socket.create_server(("127.0.0.1", self.port)):
            self.assertEqual(self.run_to_end(*self.arguments), 1)
        self.assertIn(f"cannot listen on 127.0.0.1:{self.port}", self.everything_said())
        self.assertNotIn("Traceback", self.everything_said())
        self.assertFalse((self.folder / "twistd.pid").exists())

    def test_configuration_error(self) -> None:
        """The mistakes are on the terminal, the status is 78."""
        (self.folder / "rqd.yaml").write_text("grpc: {rqd_port: x}\n")
        self.assertEqual(self.run_to_end(*self.arguments), 78)
        self.assertIn("error: grpc.rqd_port: ", self.read("err"))
