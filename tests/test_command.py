"""The C{openrqd} command, as processes of its own."""

from __future__ import annotations

import os
import subprocess
import sys

from twisted.trial.unittest import SynchronousTestCase

from rqd import __version__

_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

_COMMAND = "from rqd.command import main; main()"

_IMPORTED = """
import sys
from rqd.command import main
try:
    main()
finally:
    heavy = ("grpc", "google.protobuf", "docker", "psutil", "twisted.internet.reactor",
             "twisted.application.app")
    print([name for name in heavy if name in sys.modules])
"""

# The agent proper has tests of its own; this one only shows that it was run, and how.
_STAND_IN = """
import os, sys, types
from twisted.internet.defer import succeed

class Agent:
    def __init__(self, loaded, *, reactor, **others):
        self.reactor = reactor
        self.words = [loaded.settings.grpc.rqd_port, len(loaded.warnings)]
    def start(self):
        print("started", *self.words, "in", os.getpid(), flush=True)
        self.reactor.callLater(0, self.reactor.stop)
    def stop(self):
        print("stopped", flush=True)
        return succeed(None)

module = types.ModuleType("rqd.agent")
module.Agent = Agent
sys.modules["rqd.agent"] = module
from rqd.command import main
main()
"""


class CommandTests(SynchronousTestCase):
    """L{rqd.command.main}."""

    def setUp(self) -> None:
        """A folder of its own, so that whatever is left behind is seen."""
        self.folder = os.path.abspath(self.mktemp())
        os.makedirs(self.folder)

    def run_command(
        self, *arguments: str, code: str = _COMMAND
    ) -> subprocess.CompletedProcess[str]:
        """Run it to its end."""
        return subprocess.run(
            [sys.executable, "-c", code, *arguments],
            cwd=self.folder,
            env={
                "HOME": self.folder,
                "PATH": os.environ.get("PATH", os.defpath),
                "PYTHONPATH": os.pathsep.join([_ROOT, *filter(None, sys.path)]),
            },
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def test_version(self) -> None:
        """The version is printed without loading anything that runs the agent."""
        done = self.run_command("--version", code=_IMPORTED)
        self.assertEqual(done.stdout, f"openrqd {__version__}\n[]\n")
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_configuration_error(self) -> None:
        """A configuration that can't be used is one line and status 78, without a traceback."""
        done = self.run_command("--config", "nowhere.yaml")
        self.assertEqual(
            (done.returncode, done.stdout, done.stderr),
            (78, "", "error: nowhere.yaml: cannot be read: No such file or directory\n"),
        )

    def test_usage(self) -> None:
        """A mistake in the command line is one line, a hint and status 64."""
        done = self.run_command("--nope")
        self.assertEqual((done.returncode, done.stdout), (64, ""))
        self.assertEqual(
            done.stderr, "openrqd: option --nope not recognized\nTry openrqd --help.\n"
        )

    def test_foreground(self) -> None:
        """The agent runs in this process, logs to stdout, and leaves no file behind."""
        path = os.path.join(self.folder, "rqd.yaml")
        with open(path, "w", encoding="utf-8") as stream:
            stream.write("grpc: {rqd_port: 8555, rqd_prot: 1}")
        done = self.run_command("--config", "rqd.yaml", code=_STAND_IN)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("started 8555 1 in", done.stdout)
        self.assertIn("stopped", done.stdout)
        self.assertEqual(done.stderr, "")
        self.assertEqual(os.listdir(self.folder), ["rqd.yaml"])
