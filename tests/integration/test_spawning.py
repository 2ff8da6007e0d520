"""Real processes, each in a session of its own, that do what their stdin says."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from rqd.frame.spawning import SessionSpawner
from rqd.frame.supervisor import Supervisor
from tests.logging.awaiting import awaited

SHELL = ["/bin/sh", "-c", ". /proc/self/fd/0; exit 9"]
TELLS = """\
read -r _ _ _ _ _ session _ </proc/$$/stat
echo "$$ $session"
for descriptor in /proc/$$/fd/*; do echo "${descriptor##*/}"; done
grep SigIgn /proc/$$/status
/usr/bin/env
exit 7
"""


def _no_pidfd(pid: int) -> int:
    raise OSError(38, "Function not implemented")


class SpawningTests(TestCase):
    """L{SessionSpawner}."""

    def setUp(self) -> None:
        self.account = Path(self.mktemp())

    def spawn(self, arguments: list[str] = SHELL) -> Supervisor:
        account = os.open(self.account, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC)
        process = Supervisor()
        try:
            SessionSpawner(reactor).spawn(process, arguments, {}, {1: account, 2: account})
        finally:
            os.close(account)
        return process

    async def ended(self, process: Supervisor) -> int:
        return os.waitstatus_to_exitcode(await process.gone)

    @awaited
    async def test_child(self) -> None:
        """It leads its session, has nothing of the agent's, and ignores no signal."""
        process = self.spawn()
        process.order(TELLS.encode())
        self.assertEqual(await self.ended(process), 7)
        identity, *descriptors, ignored, directory = self.account.read_text().splitlines()
        self.assertEqual(identity, f"{process.pid} {process.pid}")
        self.assertLessEqual({int(number) for number in descriptors} - {0, 1, 2}, {3, 10, 11})
        self.assertTrue(directory.startswith("PWD="))
        own = (1 << 31) | (1 << 32)  # signals 32 and 33 are the C library's, which sets them so
        self.assertEqual(int(ignored.split()[1], 16) & ~own, 0)

    @awaited
    async def test_dismissed(self) -> None:
        """Without orders it comes to the end of its stdin."""
        process = self.spawn()
        process.dismiss()
        self.assertEqual(await self.ended(process), 9)

    @awaited
    async def test_long_orders(self) -> None:
        """Orders of more than a pipe holds arrive whole."""
        process = self.spawn()
        text = "x" * 3_000_000
        process.order(f"set -- '{text}'; exit $((${{#1}} / 1000000))\n".encode())
        self.assertEqual(await self.ended(process), 3)

    @awaited
    async def test_gone_before(self) -> None:
        """Orders to one that has gone harm nobody: its end tells."""
        process = self.spawn(["/bin/sh", "-c", "exit 4"])
        await process.gone.addCallback(self.assertEqual, 4 << 8)
        process.order(b"x" * 1_000_000)

    @awaited
    async def test_deaf(self) -> None:
        """Nor do orders that nobody reads to the end."""
        process = self.spawn(["/bin/sh", "-c", "read line; exit 5"])
        process.order(b"line\n" + b"x" * 1_000_000)
        self.assertEqual(await self.ended(process), 5)

    @awaited
    async def test_signalled(self) -> None:
        """A signal that ends it is what its end tells."""
        process = self.spawn()
        process.order(b"kill -KILL $$\n")
        self.assertEqual(await self.ended(process), -signal.SIGKILL)

    @awaited
    async def test_without_pidfd(self) -> None:
        """A kernel without pidfds has SIGCHLD."""
        self.patch(os, "pidfd_open", _no_pidfd)
        process = self.spawn()
        process.order(b"exit 6\n")
        self.assertEqual(await self.ended(process), 6)

    @awaited
    async def test_nothing_left(self) -> None:
        """An end leaves no descriptor and no zombie."""
        await deferLater(reactor, 0)  # type: ignore[arg-type]  # the reactor opens some of its own
        before = len(os.listdir("/proc/self/fd"))
        process = self.spawn()
        process.dismiss()
        await self.ended(process)
        self.assertEqual(len(os.listdir("/proc/self/fd")), before)
        self.assertRaises(ChildProcessError, os.waitpid, process.pid, os.WNOHANG)

    def test_no_program(self) -> None:
        """A program that isn't there is an OSError at once, and leaves no descriptor."""
        before = len(os.listdir("/proc/self/fd"))
        self.assertRaises(OSError, self.spawn, ["/nonexistent"])
        self.assertEqual(len(os.listdir("/proc/self/fd")), before)

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
