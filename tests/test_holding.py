"""A state folder belongs to one agent."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from rqd.holding import NAME, Held, StateFolder


class HoldingCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = os.path.abspath(self.mktemp())
        self.file = Path(self.folder, NAME)

    def take(self) -> StateFolder:
        taken = StateFolder(self.folder)
        self.addCleanup(taken.release)
        return taken

    def refusal(self) -> str:
        """What a second one is told."""
        return str(self.assertRaises(Held, StateFolder, self.folder))


class LockTests(HoldingCase):
    """Who may have it."""

    def test_made(self) -> None:
        """A folder that isn't there is made; it and its lock are private."""
        self.assertEqual(self.take().problem, "")
        self.assertEqual(os.stat(self.folder).st_mode & 0o777, 0o700)
        self.assertEqual(self.file.stat().st_mode & 0o777, 0o600)

    def test_second(self) -> None:
        """A second one is refused, and told who has it, since when, and how it was started."""
        self.take()
        told = self.refusal()
        who = f"another agent, pid {os.getpid()} on {socket.gethostname()}, holds "
        self.assertTrue(told.startswith(f"{who}the state folder {self.folder}, "), told)
        self.assertRegex(told, r"since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d, ")
        self.assertIn(" ".join(sys.orig_argv)[:100], told)

    def test_released(self) -> None:
        """Once it was released, the next one has it."""
        StateFolder(self.folder).release()
        self.take()
        self.assertIn(str(os.getpid()), self.refusal())

    def test_killed(self) -> None:
        """The lock of one that was killed is nobody's, though its children live on."""
        script = (
            "import os, subprocess, sys\n"
            "from rqd.holding import StateFolder\n"
            "folder = StateFolder(sys.argv[1])\n"
            "child = subprocess.Popen(['/bin/sh', '-c', 'read x'], close_fds=False, stdin=0)\n"
            "print(child.pid, flush=True)\n"
            "os.kill(os.getpid(), 9)\n"
        )
        process = subprocess.Popen(
            [sys.executable, "-c", script, self.folder],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        )
        assert process.stdin is not None and process.stdout is not None
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.stdin.close)
        child = int(process.stdout.readline())
        self.assertEqual(process.wait(), -9)
        os.kill(child, 0)
        self.take()

    def test_link(self) -> None:
        """A lock that somebody made a link is not followed."""
        os.mkdir(self.folder)
        self.file.symlink_to("/nowhere")
        self.assertRaises(OSError, StateFolder, self.folder)

    def test_no_locks(self) -> None:
        """A file system without locks is a problem that is told, and keeps no agent from work."""

        def flock(*_: object) -> None:
            raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

        self.patch(fcntl, "flock", flock)
        self.assertIn(f"state folder {self.folder} has no locks", self.take().problem)
        self.assertIn("second agent", self.take().problem)

    def test_broken_lock(self) -> None:
        """A disk that fails is no file system without locks."""

        def flock(*_: object) -> None:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

        self.patch(fcntl, "flock", flock)
        self.assertRaises(OSError, StateFolder, self.folder)


class HolderTests(HoldingCase):
    """What a second one is told where the file doesn't tell."""

    def overwrite(self, text: bytes) -> str:
        self.take()
        self.file.write_bytes(text)
        return self.refusal()

    def test_nonsense(self) -> None:
        """What makes no sense is not told, nor is there a traceback."""
        for text in (b"", b"{", b"\xff", b"[]", b"{}", b'{"host": 3, "pid": "x", "ticks": 0}'):
            self.assertIn("has not said yet", self.overwrite(text))
            self.doCleanups()

    def test_stale(self) -> None:
        """A process that is dead holds nothing: the new holder has not signed yet."""
        self.take()
        content = json.loads(self.file.read_bytes())
        self.file.write_text(json.dumps(content | {"ticks": content["ticks"] - 1}))
        told = self.refusal()
        self.assertIn("has not said yet", told)
        self.assertNotIn(str(os.getpid()), told)

    def test_other_host(self) -> None:
        """The folder may be on a disk that hosts share: the host is told, its pids mean nothing."""
        self.take()
        content = json.loads(self.file.read_bytes())
        self.file.write_text(json.dumps(content | {"host": "render043", "pid": 1 << 21}))
        self.assertIn(f"pid {1 << 21} on render043", self.refusal())
