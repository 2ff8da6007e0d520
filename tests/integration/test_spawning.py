"""Real processes, each in a session of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from rqd.frame.chain import Chain
from rqd.frame.process import FrameProcess, spawn
from rqd.frame.spawning import SessionSpawner
from tests.logging.awaiting import awaited

TELLS = """\
read -r _ _ _ _ _ session _ </proc/$$/stat
echo "$$ $session" >&3
for descriptor in /proc/$$/fd/*; do echo "${descriptor##*/}" >&3; done
grep SigIgn /proc/$$/status >&3
exit 7
"""


class SpawningTests(TestCase):
    """L{SessionSpawner}."""

    def setUp(self) -> None:
        self.output = Path(self.mktemp())
        self.writer = os.open(self.output, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC)
        self.addCleanup(os.close, self.writer)

    def spawn(self, command: str) -> FrameProcess:
        chain = Chain(["/bin/sh", "-c", command], {"PATH": "/usr/bin:/bin"})
        return spawn(chain, self.writer, self.writer, reactor=SessionSpawner(reactor))

    @awaited
    async def test_child(self) -> None:
        """It leads its session, holds the four descriptors it was given, and ignores no signal."""
        process = self.spawn(TELLS)
        self.assertEqual(os.waitstatus_to_exitcode(await process.exited), 7)
        identity, *descriptors, ignored = self.output.read_text().splitlines()
        self.assertEqual(identity, f"{process.pid} {process.pid}")
        self.assertLessEqual(set(descriptors), {"0", "1", "2", "3", "4"})  # 4: for the listing
        own = (1 << 31) | (1 << 32)  # signals 32 and 33 are the C library's, which sets them so
        self.assertEqual(int(ignored.split()[1], 16) & ~own, 0)

    @awaited
    async def test_signalled(self) -> None:
        """A signal that ends it is what its end tells."""
        process = self.spawn("kill -KILL $$")
        self.assertEqual(os.waitstatus_to_exitcode(await process.exited), -signal.SIGKILL)

    def test_no_program(self) -> None:
        """A program that isn't there is an OSError at once."""
        chain = Chain(["/nonexistent"], {})
        self.assertRaises(
            OSError, spawn, chain, self.writer, self.writer, reactor=SessionSpawner(reactor)
        )

    def test_inherited_descriptors(self) -> None:
        """What the agent was started with open doesn't reach frames."""
        reading, writing = os.pipe()
        os.set_inheritable(writing, True)
        program = (
            "import os, sys; from rqd.frame.spawning import SessionSpawner;"
            f"SessionSpawner(None); print(os.get_inheritable({writing}))"
        )
        told = subprocess.run(
            [sys.executable, "-c", program],
            pass_fds=[writing],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            check=True,
        )
        os.close(reading)
        os.close(writing)
        self.assertEqual(told.stdout, b"False\n")
